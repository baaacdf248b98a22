"""The text table of a network, as `convscope summary` prints it."""

from convscope.architecture import (
    Add,
    Architecture,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    Input,
    presets,
)


def test_summary_of_the_cnn_is_the_table_that_keras_users_know():
    lines = [line.split() for line in presets.cnn().summary().splitlines()]
    rows = [" ".join(words) for words in lines]
    assert rows[0] == 'Architecture "cnn": images of 28 × 28 × 1 (height × width × channels), 10 classes'
    assert rows[2] == "Layer (kind) Output shape Parameters MACs Receptive field"
    assert rows[4:11] == [
        "conv2d (Conv2D) (None, 26, 26, 16) 160 97,344 3 × 3",
        "max_pooling2d (MaxPooling2D) (None, 13, 13, 16) 0 0 4 × 4",
        "conv2d_1 (Conv2D) (None, 11, 11, 32) 4,640 557,568 8 × 8",
        "max_pooling2d_1 (MaxPooling2D) (None, 5, 5, 32) 0 0 10 × 10",
        "flatten (Flatten) (None, 800) 0 0 26 × 26",
        "dense (Dense) (None, 128) 102,528 102,400 26 × 26",
        "dense_1 (Dense) (None, 10) 1,290 1,280 26 × 26",
    ]
    assert rows[12] == "Total: 108,618 parameters (424.29 KB), 758,592 MACs per image"


def test_summary_counts_moving_statistics_with_their_layer_and_separately_at_the_end():
    layers = (Conv2D(4, use_bias=False), BatchNormalization(), Flatten(), Dense(3))
    lines = Architecture(Input(5, 5), layers).summary().splitlines()
    assert " ".join(lines[5].split()) == "batch_normalization (BatchNormalization) (None, 3, 3, 4) 16 0 3 × 3"
    assert lines[-2:] == [
        "Total: 163 parameters (0.64 KB), 432 MACs per image",
        "Trainable: 155 parameters; non-trainable: 8 parameters",
    ]


def test_summary_names_the_inputs_of_an_addition():
    layers = (Conv2D(4, 3, padding="same"), Conv2D(4, 1), Add("conv2d"), Flatten(), Dense(3))
    lines = Architecture(Input(5, 5), layers).summary().splitlines()
    assert lines[2].endswith("Receptive field  Connected to")
    assert lines[6].endswith("3 × 3  conv2d_1, conv2d")
    assert lines[5].endswith("3 × 3")
    assert "Connected" not in presets.cnn().summary()


def test_summary_names_the_inputs_of_branches():
    layers = (Conv2D(4, name="a"), Branch("input"), Conv2D(2, name="b"), Concatenate("a"), Flatten(), Dense(3))
    lines = Architecture(Input(5, 5), layers).summary().splitlines()
    assert [" ".join(line.split()) for line in lines[5:8]] == [
        "branch (Branch) (None, 5, 5, 1) 0 0 1 × 1 input",
        "b (Conv2D) (None, 3, 3, 2) 20 162 3 × 3",
        "concatenate (Concatenate) (None, 3, 3, 6) 0 0 3 × 3 b, a",
    ]


def test_numbers_of_parameters_are_aligned_right():
    lines = presets.cnn().summary().splitlines()
    header, rows = lines[2], lines[4:11]
    edge = header.index("Parameters") + len("Parameters")
    assert [line[:edge].split()[-1] for line in rows] == [f"{row.parameters:,}" for row in presets.cnn().table]


def test_no_line_is_wider_than_the_rule():
    layers = (Flatten(name="a_name_of_some_length_that_makes_the_column_wide"), Dense(65536), Dense(100, "softmax"))
    lines = Architecture(Input(64, 48, 3), layers, "wide").summary().splitlines()
    rules = {line for line in lines if set(line) == {"-"}}
    assert len(rules) == 1
    width = len(rules.pop())
    assert max(map(len, lines[2:-2])) <= width
