"""Records with the features of a backbone that a run trained: computed once, from the photos in the run's records.

    records_dir = records_for("runs/pixels", "data/mine")      # runs/pixels/records, or data/mine as it is

What eval, tags and the self-critical stage of such a run look at are features of its own backbone.
"""

from etils import epath

from flags.errors import UserError
from flags.make_records import MakeRecords
from records import make_records
from records.format import backbone_identity, joined, layout
from records.util import typed_json
from tagger.runs import run_dir as run_dir_lib
from tagger.runs import trained_backbone

FOLDER = "records"


def records_for(run_dir: str, records_dir: str) -> str:
    """The folder that holds the examples of `records_dir` with the features that the run needs.

    It is `records_dir` itself where the run trained no backbone, or the records have its features already. Otherwise
    it is the folder `records` beside the backbone's weights, made now if it is not there.

    Raises:
      UserError: the records hold no photos, or cannot be written.
    """
    records = joined.load(records_dir).backbone
    run = run_dir_lib.load_manifest(run_dir)
    trained = trained_backbone.trained(epath.Path(run_dir), run.backbone)
    if records is None or trained is None or epath.Path(trained.weights).name != trained_backbone.WEIGHTS_FILE or (
            backbone_identity.difference(records, trained) is None):
        return records_dir
    if len(joined.folders(records_dir)) > 1:
        raise UserError(f"--records_dir={records_dir}: a backbone is trained on the photos of one folder; give one")
    folder = str(epath.Path(trained.weights).parent / FOLDER)
    views = str(run.flags.get("feature_views", "one"))
    make_records.run_from_records(MakeRecords(
        records=records_dir, records_dir=folder, backbone=trained.name, backbone_weights=trained.weights,
        backbone_precision=trained.precision, feature_views=views, image_size=int(run.flags.get("image_size", 0)),
        store_images=False, overwrite=_weights_sha256(epath.Path(folder)) not in (None, trained.weights_sha256)))
    return folder


def remove(run_dir: str) -> None:
    """Removes the features that `records_for` made of the run's backbone, if it did."""
    folder = epath.Path(run_dir)
    made_of = _weights_sha256(folder / FOLDER)
    trained = trained_backbone.trained(folder, run_dir_lib.load_manifest(run_dir).backbone) if made_of else None
    if trained and made_of == trained.weights_sha256:
        (folder / FOLDER).rmtree()


def _weights_sha256(folder: epath.Path) -> str | None:
    """Of the backbone that the features in a folder are of, finished or not; None where there are none."""
    for path, key in ((folder / layout.MANIFEST, "flags"), (folder / layout.STAGING_DIR / layout.SETTINGS, "")):
        if path.exists():
            values = typed_json.loads(path.read_bytes())
            return str((values[key] if key else values)["backbone_weights_sha256"])
    return None
