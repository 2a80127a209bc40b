"""Self-critical training: batches of photos, and the CIDEr-D of the captions that the model samples for them."""

import numpy as np

from records.input.image_dataset import ImageDataset
from tagger.losses.cider_reward import CiderReward
from tagger.losses.cross_entropy import CrossEntropy, Objective
from tagger.losses.self_critical import SelfCritical
from tagger.modeling.merge_model import MergeModel
from tagger.training.task import Schedule, Task

# Samples may be as long as all but one in a hundred of the captions: waiting for the rest costs time and wins nothing.
_SAMPLED_LENGTHS = 0.99


class SelfCriticalTask(Task):
    """Learns from the rewards of sampled captions, an image a row; validated by the scores of written captions."""

    _dataset: ImageDataset

    def make_schedule(self) -> Schedule:
        return Schedule(epochs=self.config.self_critical_epochs,
                        learning_rate=self.config.self_critical_learning_rate, monitor="val_cider",
                        rate_flag="self_critical_learning_rate")

    def make_train_dataset(self) -> ImageDataset:
        self._dataset = ImageDataset(self.train_split, self.options, vocabulary_size=self.vocabulary.size)
        return self._dataset

    def make_objective(self, model: MergeModel) -> Objective:
        config, held = self.config, self._dataset.held
        lengths, padded = held.lengths[:-1], held.targets.numpy()
        starts = np.arange(len(lengths)) * padded.shape[1]
        reward = CiderReward(padded.reshape(-1), starts, lengths, held.image[:-1], self.vocabulary.size)
        longest = int(np.quantile(lengths, _SAMPLED_LENGTHS))
        tag_weight = config.self_critical_tag_weight if config.tag_weight else 0.0
        supervised = CrossEntropy(config.label_smoothing, tag_weight, self.tag_outputs, config.supervised_weight)
        return SelfCritical(reward, config.self_critical_samples, longest, supervised)
