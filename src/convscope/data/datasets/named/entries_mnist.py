"""MNIST and the sets made in its image: Fashion-MNIST, KMNIST, QMNIST, USPS.

Where the facts come from is said at each. Digests are those that the publisher, or a library that fetches the files,
has published; where none is, there is none here, and the structure is checked in its place.
"""

from convscope.data.datasets.named.entries import CatalogueEntry, PublishedFile

DIGITS = tuple("0123456789")
_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def _at(name: str, *folders: str) -> tuple[str, ...]:
    return tuple(f"{folder}{name}" for folder in folders)


# SHA-256 of the unpacked files, which are part of this package. Counts: computed from them. Accuracy: the paper.
MNIST = CatalogueEntry(
    name="mnist",
    title="MNIST, handwritten digits: 60,000 for training and 10,000 for test, 28 × 28 grey",
    licence="Copyright Yann LeCun and Corinna Cortes; Creative Commons Attribution-Share Alike 3.0",
    source="Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Proceedings of the IEEE 86(11), 1998; part of this package",
    class_names=DIGITS,
    files=tuple(
        PublishedFile(name, content_sha256=digest)
        for name, digest in zip(
            _IDX,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            strict=True,
        )
    ),
    form="embedded",
    num_train=60_000,
    num_test=10_000,
    image_shape=(28, 28, 1),
    folder="mnist",
    class_counts=(
        (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    ),
    accuracy="LeNet-5 99.05 % (LeCun et al. 1998)",
)

# MD5: the README of zalandoresearch/fashion-mnist, and torchvision.datasets.FashionMNIST. SHA-256: Keras's
# datasets/fashion_mnist.py. Sizes and SHA-256: TensorFlow Datasets' url_checksums/fashion_mnist.txt. SHA-256 of the
# unpacked files: computed from Debian's package, whose files, with name and time put back into their gzip headers, have
# the published digests; a test does that.
_FASHION_FOLDERS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # has no https
)
FASHION_MNIST = CatalogueEntry(
    name="fashion-mnist",
    title="Fashion-MNIST, articles of clothing: 60,000 for training and 10,000 for test, 28 × 28 grey",
    licence="MIT, copyright 2017 Zalando SE",
    source="H. Xiao, K. Rasul and R. Vollgraf, arXiv:1708.07747, 2017; github.com/zalandoresearch/fashion-mnist",
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=(
        PublishedFile(
            "train-images-idx3-ubyte.gz",
            urls=_at("train-images-idx3-ubyte.gz", *_FASHION_FOLDERS),
            md5="8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            sha256="3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            content_sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            size_bytes=26_421_880,
        ),
        PublishedFile(
            "train-labels-idx1-ubyte.gz",
            urls=_at("train-labels-idx1-ubyte.gz", *_FASHION_FOLDERS),
            md5="25c81989df183df01b3e8a0aad5dffbe",
            sha256="a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            content_sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            size_bytes=29_515,
        ),
        PublishedFile(
            "t10k-images-idx3-ubyte.gz",
            urls=_at("t10k-images-idx3-ubyte.gz", *_FASHION_FOLDERS),
            md5="bef4ecab320f06d8554ea6380940ec79",
            sha256="346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            content_sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            size_bytes=4_422_102,
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte.gz",
            urls=_at("t10k-labels-idx1-ubyte.gz", *_FASHION_FOLDERS),
            md5="bb300cfdad3c16e7a12a480ee83cd310",
            sha256="67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            content_sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            size_bytes=5_148,
        ),
    ),
    form="idx",
    num_train=60_000,
    num_test=10_000,
    image_shape=(28, 28, 1),
    folder="fashion-mnist",
    torch_folder="FashionMNIST",
    openml="Fashion-MNIST",
    class_counts=((6000,) * 10, (1000,) * 10),
    accuracy="two convolutions with fewer than 100,000 parameters 92.5 %, people 83.5 % (README of the data set)",
)

# MD5: torchvision.datasets.KMNIST. Sizes and SHA-256: TensorFlow Datasets' url_checksums/kmnist.txt. Counts and
# accuracies: the README of rois-codh/kmnist; class names: its kmnist_classmap.csv (hiragana) and torchvision (Latin).
_KMNIST_FOLDERS = (
    "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",  # as published; there is no other host
)
KMNIST = CatalogueEntry(
    name="kmnist",
    title="Kuzushiji-MNIST, cursive hiragana of old books: 60,000 for training and 10,000 for test, 28 × 28 grey",
    licence=(
        "Creative Commons Attribution-ShareAlike 4.0; "
        '"KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and others), '
        "doi:10.20676/00000341"
    ),
    source="T. Clanuwat et al., Deep Learning for Classical Japanese Literature, arXiv:1812.01718, 2018",
    class_names=("お o", "き ki", "す su", "つ tsu", "な na", "は ha", "ま ma", "や ya", "れ re", "を wo"),
    files=(
        PublishedFile(
            "train-images-idx3-ubyte.gz",
            urls=_at("train-images-idx3-ubyte.gz", *_KMNIST_FOLDERS),
            md5="bdb82020997e1d708af4cf47b453dcf7",
            sha256="51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            size_bytes=18_165_135,
        ),
        PublishedFile(
            "train-labels-idx1-ubyte.gz",
            urls=_at("train-labels-idx1-ubyte.gz", *_KMNIST_FOLDERS),
            md5="e144d726b3acfaa3e44228e80efcd344",
            sha256="e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            size_bytes=29_497,
        ),
        PublishedFile(
            "t10k-images-idx3-ubyte.gz",
            urls=_at("t10k-images-idx3-ubyte.gz", *_KMNIST_FOLDERS),
            md5="5c965bf0a639b31b8f53240b1b52f4d7",
            sha256="edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            size_bytes=3_041_136,
        ),
        PublishedFile(
            "t10k-labels-idx1-ubyte.gz",
            urls=_at("t10k-labels-idx1-ubyte.gz", *_KMNIST_FOLDERS),
            md5="7320c461ea6c1c855c0b718fb2a4b134",
            sha256="20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            size_bytes=5_120,
        ),
    ),
    form="idx",
    num_train=60_000,
    num_test=10_000,
    image_shape=(28, 28, 1),
    folder="kmnist",
    torch_folder="KMNIST",
    class_counts=((6000,) * 10, (1000,) * 10),
    accuracy="simple CNN 95.12 %, PreActResNet-18 with manifold mixup 98.83 % (README of the data set)",
)

# MD5: torchvision.datasets.QMNIST; sizes are not published there, and bounded by what the unpacked files take. Counts
# and accuracies: the README of facebookresearch/qmnist, by which the training digits are MNIST's one by one, so their
# counts are MNIST's too.
_QMNIST_FOLDERS = (
    "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
    "https://github.com/facebookresearch/qmnist/raw/master/",
)
_QMNIST_IMAGES_BYTES, _QMNIST_LABELS_BYTES = 48_000_000, 2_000_000
QMNIST = CatalogueEntry(
    name="qmnist",
    title="QMNIST, MNIST made again with all its test digits: 60,000 for training and 60,000 for test, 28 × 28 grey",
    licence="BSD-style licence, copyright Facebook, Inc. and its affiliates",
    source="C. Yadav and L. Bottou, Cold Case: The Lost MNIST Digits, arXiv:1905.10498, 2019",
    class_names=DIGITS,
    files=tuple(
        PublishedFile(name, urls=_at(name, *_QMNIST_FOLDERS), md5=md5, most_bytes=most_bytes)
        for name, md5, most_bytes in (
            ("qmnist-train-images-idx3-ubyte.gz", "ed72d4157d28c017586c42bc6afe6370", _QMNIST_IMAGES_BYTES),
            ("qmnist-train-labels-idx2-int.gz", "0058f8dd561b90ffdd0f734c6a30e5e4", _QMNIST_LABELS_BYTES),
            ("qmnist-test-images-idx3-ubyte.gz", "1394631089c404de565df7b7aeaf9412", _QMNIST_IMAGES_BYTES),
            ("qmnist-test-labels-idx2-int.gz", "5b5b05890a5e13444e108efe57b788aa", _QMNIST_LABELS_BYTES),
        )
    ),
    form="idx",
    num_train=60_000,
    num_test=60_000,
    image_shape=(28, 28, 1),
    folder="qmnist",
    torch_folder="QMNIST",
    class_counts=(MNIST.class_counts[0], None),
    accuracy="LeNet-5 99.20 % on the first 10,000 test digits, which are MNIST's, 98.92 % on the other 50,000 (README)",
    notes="The first 10,000 test digits are those of MNIST's test set.",
)

# MD5: torchvision.datasets.USPS. Sizes are not published there. Counts: zip.info.txt of The Elements of Statistical
# Learning (Hastie, Tibshirani and Friedman), which distributes the same digits.
USPS = CatalogueEntry(
    name="usps",
    title="USPS, handwritten digits from envelopes: 7,291 for training and 2,007 for test, 16 × 16 grey",
    licence="none is stated where it is published; ask before you pass it on",
    source=(
        "J. J. Hull, IEEE PAMI 16(5), 1994, and Y. LeCun et al., 1990; "
        "www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass.html"
    ),
    class_names=DIGITS,
    files=tuple(
        PublishedFile(
            name,
            urls=(f"https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/{name}",),
            md5=md5,
            most_bytes=30_000_000,
        )
        for name, md5 in (
            ("usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"),
            ("usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"),
        )
    ),
    form="usps",
    num_train=7_291,
    num_test=2_007,
    image_shape=(16, 16, 1),
    folder="usps",
    torch_folder="USPS",
    class_counts=(
        (1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644),
        (359, 264, 198, 166, 200, 160, 170, 147, 166, 177),
    ),
    accuracy="97.5 % is called excellent (Hastie, Tibshirani and Friedman, zip.info.txt)",
    notes="One host only. Its test digits are harder than its training digits.",
)
