"""Wrong command lines: exit status 2, one message, nothing written."""

import pytest

from bital.cli.options import ACTIVATIONS, LAYER_SIZES, RATES
from bital.keras import activations, optimizers


@pytest.mark.parametrize(
    ("text", "sizes"),
    [("300,100", (300, 100)), (" 5 , 6,7", (5, 6, 7)), ("1", (1,)), ("none", ()), ("None", ())],
)
def test_layer_sizes(text, sizes):
    assert LAYER_SIZES.convert(text, None, None) == sizes


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--hidden", "300,abc", "'abc' is not a size"),
        ("--hidden", "", "'' is not a size"),
        ("--hidden", "300,,100", "'' is not a size"),
        ("--hidden", "300;100", "'300;100' is not a size"),
        ("--hidden", "-5", "'-5' is not a size"),
        ("--hidden", "0", "a size must be from 1"),
        ("--hidden", "1e3", "'1e3' is not a size"),
        ("--hidden", "10001", "a size must be from 1 to 10000"),
        ("--hidden", "9" * 5000, "is not a size"),
        ("--hidden", "٣٠٠", "is not a size"),
        ("--hidden", ",".join(["5"] * 51), "at most 50"),
        ("--activation", "reluu", "'reluu' is not one of 'relu', 'leaky_relu'"),
        ("--optimizer", "adan", "'adan' is not one of 'adam', 'adamw'"),
        ("--learning-rate", "0", "must be more than 0"),
        ("--learning-rate", "nan", "must be more than 0"),
        ("--learning-rate", "inf", "must be more than 0"),
        ("--learning-rate", "fast", "'fast' is not a number"),
        ("--schedule", "step", "'step' is not one of 'cosine', 'onecycle', 'constant'"),
        ("--batch-size", "0", "not in the range"),
        ("--batch-size", "60000", "not in the range"),
        ("--epochs", "0", "not in the range"),
        ("--epochs", "1.5", "not a valid integer"),
        ("--dropout", "1", "must be at least 0 and less than 1"),
        ("--dropout", "-0.1", "must be at least 0 and less than 1"),
        ("--dropout", "nan", "must be at least 0 and less than 1"),
        ("--seed", "-1", "not in the range"),
        ("--seed", str(2**32), "not in the range"),
        ("--threads", "0", "not in the range"),
        ("--executor", "warp", "warp"),
        ("--speed", "9", "No such option"),
    ],
)
def test_wrong_options_are_named(invoke, tmp_path, option, value, message):
    result = invoke("train", "mnist", option, value)
    assert result.exit_code == 2
    assert message in result.output
    assert option in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_data_that_bital_does_not_have_is_named(invoke):
    result = invoke("train", "cifar10")
    assert result.exit_code == 2
    assert "'cifar10' is not 'mnist'" in result.output


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_offered_activation_exists(name):
    assert callable(activations.get(name))


@pytest.mark.parametrize("name", RATES)
def test_every_offered_optimizer_exists(name):
    assert optimizers.get(name).name == name


@pytest.mark.parametrize("command", [(), ("train",), ("predict",), ("evaluate",), ("inspect",)])
def test_help(invoke, command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.output
    assert max(map(len, result.output.splitlines())) <= 80
