"""The metrics that a report shows, with their labels and formats."""

# (metric, heading, format, whether more is better).
METRICS = (
    ("loss", "loss", "{:.3f}", False), ("bleu_1", "BLEU-1", "{:.1f}", True), ("bleu_4", "BLEU-4", "{:.1f}", True),
    ("rouge_l", "ROUGE-L", "{:.1f}", True), ("cider", "CIDEr-D", "{:.1f}", True), ("tag_f1", "tag F1", "{:.3f}", True),
    ("f1_at_5", "F1 at 5", "{:.3f}", True), ("mean_average_precision", "mAP", "{:.3f}", True),
    ("f1_at_threshold", "F1 at threshold", "{:.3f}", True),
    ("tag_calibration_error", "calibration error", "{:.3f}", False),
    ("tag_skill_score", "Brier skill score", "{:.3f}", True),
    ("distinct_captions", "distinct", "{:,.0f}", True))

TILES = (("bleu_4", "BLEU-4", "{:.1f}"), ("cider", "CIDEr-D", "{:.1f}"), ("tag_f1", "tag F1", "{:.3f}"),
          ("f1_at_5", "F1 at 5 tags", "{:.3f}"), ("mean_average_precision", "mAP", "{:.3f}"))

OF_CAPTIONS = ("bleu_1", "bleu_4", "rouge_l", "cider")  # of --target=tags they are of sequences, and only listed
