"""The two-dimensional sets of MedMNIST at 28 × 28 pixels, each as `medmnist:NAME`.

MD5, classes, numbers of images and licences: medmnist/info.py of the package `medmnist` 3.0.2, the library of the data
set's authors. Sizes, where given: Zenodo's record 10519652 as its users print it. The older record 6496656 holds the
same bytes for the sets of `_OLDER` (the MD5 in the library's earlier info.py is the same), and a copy of that record is
at Hugging Face. Accuracies: J. Yang et al., MedMNIST v2, Scientific Data 10:41, 2023, table 3, ResNet-18 at 28 pixels.
"""

from convscope.data.datasets.named.entries import CatalogueEntry, PublishedFile

PREFIX = "medmnist:"
_RECORD = "https://zenodo.org/records/10519652/files/{}.npz?download=1"
_OLDER_RECORD = "https://zenodo.org/records/6496656/files/{}.npz?download=1"
_COPY = "https://huggingface.co/datasets/albertvillanova/medmnist-v2/resolve/main/data/{}.npz"
_OLDER = frozenset(
    ("bloodmnist", "breastmnist", "dermamnist", "octmnist", "pathmnist", "pneumoniamnist", "retinamnist")
)
_TABLE = "{} % with ResNet-18 (Yang et al. 2023)"
_ORGANS = (
    "bladder",
    "femur-left",
    "femur-right",
    "heart",
    "kidney-left",
    "kidney-right",
    "liver",
    "lung-left",
    "lung-right",
    "pancreas",
    "spleen",
)


def _entry(
    name: str,
    title: str,
    md5: str,
    channels: int,
    counts: tuple[int, int, int],
    class_names: tuple[str, ...],
    *,
    licence: str = "CC BY 4.0",
    size_bytes: int | None = None,
    accuracy: str | None = None,
    notes: str = "",
) -> CatalogueEntry:
    num_train, num_validation, num_test = counts
    pages = (_RECORD, _OLDER_RECORD, _COPY) if name in _OLDER else (_RECORD,)
    return CatalogueEntry(
        name=f"{PREFIX}{name}",
        title=(
            f"{title}: {num_train:,} for training and {num_test:,} for test, {len(class_names)} classes, "
            f"28 × 28 {'colour' if channels == 3 else 'grey'}"
        ),
        licence=licence,
        source="J. Yang et al., MedMNIST v2, Scientific Data 10:41, 2023; doi:10.5281/zenodo.10519652",
        class_names=class_names,
        files=(
            PublishedFile(
                f"{name}.npz",
                urls=tuple(page.format(name) for page in pages),
                md5=md5,
                size_bytes=size_bytes,
                # No more than the arrays as they are; deflate adds next to nothing where it gains nothing.
                most_bytes=sum(counts) * (28 * 28 * channels + 8) * 101 // 100 + 100_000,
            ),
        ),
        form="medmnist",
        num_train=num_train,
        num_test=num_test,
        image_shape=(28, 28, channels),
        folder="medmnist",
        accuracy=_TABLE.format(accuracy) if accuracy else None,
        notes=f"Not for clinical use. Its {num_validation:,} validation images are left out. {notes}".strip(),
    )


MEDMNIST = (
    _entry(
        "pathmnist",
        "PathMNIST, tissue of the colon under the microscope",
        "a8b06965200029087d5bd730944a56c1",
        3,
        (89_996, 10_004, 7_180),
        (
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal colon mucosa",
            "cancer-associated stroma",
            "colorectal adenocarcinoma epithelium",
        ),
        size_bytes=205_615_438,
        accuracy="90.7",
        notes="The test images come from another clinic than the training images.",
    ),
    _entry(
        "dermamnist",
        "DermaMNIST, lesions of the skin",
        "0744692d530f8e62ec473284d019b0c7",
        3,
        (7_007, 1_003, 2_005),
        (
            "actinic keratoses and intraepithelial carcinoma",
            "basal cell carcinoma",
            "benign keratosis-like lesions",
            "dermatofibroma",
            "melanoma",
            "melanocytic nevi",
            "vascular lesions",
        ),
        licence="CC BY-NC 4.0",
        accuracy="73.5",
    ),
    _entry(
        "octmnist",
        "OCTMNIST, sections of the retina",
        "c68d92d5b585d8d81f7112f81e2d0842",
        1,
        (97_477, 10_832, 1_000),
        ("choroidal neovascularization", "diabetic macular edema", "drusen", "normal"),
        accuracy="74.3",
    ),
    _entry(
        "pneumoniamnist",
        "PneumoniaMNIST, children's chests in X-rays",
        "28209eda62fecd6e6a2d98b1501bb15f",
        1,
        (4_708, 524, 624),
        ("normal", "pneumonia"),
        size_bytes=4_170_669,
        accuracy="85.4",
    ),
    _entry(
        "retinamnist",
        "RetinaMNIST, the fundus of the eye, graded",
        "bd4c0672f1bba3e3a89f0e4e876791e4",
        3,
        (1_080, 120, 400),
        tuple("01234"),
        notes="The classes are grades of diabetic retinopathy, in order; here they are five classes as any.",
    ),
    _entry(
        "breastmnist",
        "BreastMNIST, ultrasound of the breast",
        "750601b1f35ba3300ea97c75c52ff8f6",
        1,
        (546, 78, 156),
        ("malignant", "normal, benign"),
        size_bytes=559_580,
        accuracy="86.3",
    ),
    _entry(
        "bloodmnist",
        "BloodMNIST, blood cells under the microscope",
        "7053d0359d879ad8a5505303e11de1dc",
        3,
        (11_959, 1_712, 3_421),
        (
            "basophil",
            "eosinophil",
            "erythroblast",
            "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
            "lymphocyte",
            "monocyte",
            "neutrophil",
            "platelet",
        ),
    ),
    _entry(
        "tissuemnist",
        "TissueMNIST, cells of the kidney's cortex",
        "ebe78ee8b05294063de985d821c1c34b",
        1,
        (165_466, 23_640, 47_280),
        (
            "Collecting Duct, Connecting Tubule",
            "Distal Convoluted Tubule",
            "Glomerular endothelial cells",
            "Interstitial endothelial cells",
            "Leukocytes",
            "Podocytes",
            "Proximal Tubule Segments",
            "Thick Ascending Limb",
        ),
    ),
    _entry(
        "organamnist",
        "OrganAMNIST, organs in axial sections",
        "68e3f8846a6bd62f0c9bf841c0d9eacc",
        1,
        (34_561, 6_491, 17_778),
        _ORGANS,
    ),
    _entry(
        "organcmnist",
        "OrganCMNIST, organs in coronal sections",
        "b9ceb9546e10131b32923c5bbeaea2b1",
        1,
        (12_975, 2_392, 8_216),
        _ORGANS,
    ),
    _entry(
        "organsmnist",
        "OrganSMNIST, organs in sagittal sections",
        "9ab87b696fb54e2a387ebe992d6ed5f1",
        1,
        (13_932, 2_452, 8_827),
        _ORGANS,
    ),
)

_VOLUMES = "its images are volumes of 28 × 28 × 28, and networks here take flat images"
REFUSED = {
    "chestmnist": "an image of it may show several of its 14 findings, or none; here each image has one class",
    "organmnist3d": _VOLUMES,
    "nodulemnist3d": _VOLUMES,
    "adrenalmnist3d": _VOLUMES,
    "fracturemnist3d": _VOLUMES,
    "vesselmnist3d": _VOLUMES,
    "synapsemnist3d": _VOLUMES,
}
"""The sets of MedMNIST that are not read, with the reason."""
