"""The page without a run: an untrained network and the images to train it on, from data to one HTML file.

Every training image is inside, in 16 grey levels so that the file stays below 10 MB for MNIST; test images are exact.
"""

from convscope.base.packing import Packed, pack_halved
from convscope.base.versions import FORMAT
from convscope.data.datasets import Splits
from convscope.evidence.ablation import filter_means
from convscope.recipes import fast
from convscope.report.document import render_document, script_json
from convscope.report.live import NUM_PARITY, pack_model, pack_small
from convscope.report.page_bundle import load_bundle
from convscope.report.payload import model_facts
from convscope.report.records import Live, LiveImages, Parity, Playground, TrainingImages, Unmeasured
from convscope.training import History
from convscope.training.model import Model

NUM_TEST_IMAGES = 1_000
"""Test images on the page: the first of the split, on which the page measures what was trained in it."""


def playground_payload(splits: Splits, model: Model) -> Playground:
    """Make the payload of the page."""
    train, test = splits.train, splits.test
    pixels, labels = test.images[:NUM_TEST_IMAGES], test.labels[:NUM_TEST_IMAGES]
    return Playground(
        format=FORMAT,
        recipe=fast.to_dict(),
        data=splits.to_record(),
        model=model_facts(model),
        history=History().to_record(),
        evaluation=Unmeasured(split=test.split, num_images=len(test), class_names=test.class_names),
        live=Live(
            models=(pack_model(model, filter_means(model, pixels)),),
            images=LiveImages(
                split=test.split,
                indices=pack_small(range(len(pixels))),
                labels=pack_small(labels),
                pixels=Packed.from_array(pixels),
                num_sample=len(pixels),
                num_mistakes=0,
            ),
            parity=Parity(logits=Packed.from_array(model.logits(pixels[:NUM_PARITY]))),
            training=TrainingImages(labels=pack_small(train.labels), pixels=pack_halved(train.images), of=len(train)),
            handwriting=train.handwriting,
        ),
    )


def render_playground(splits: Splits, model: Model) -> str:
    """Write the page as one HTML document that works from a disk with no network."""
    bundle = load_bundle()
    return render_document(
        "playground.html.jinja",
        bundle.policy,
        bench=bundle,
        json=script_json(playground_payload(splits, model).to_dict()),
        architecture=model.architecture.name,
        dataset=splits.name,
    )
