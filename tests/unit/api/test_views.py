"""The generated text read beside the user's code, and the picture of it."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import bital
from bital import errors
from bital.executors.numpy.layout import put_together

RNG = np.random.default_rng(0)
W1, B1, W2, B2 = (RNG.normal(size=s) for s in ((4, 5), (5,), (5, 3), (3,)))
X, T = RNG.normal(size=(8, 4)), np.eye(3)[RNG.integers(0, 3, 8)]


def loss(params, x, t):
    (W1, b1), (W2, b2) = params
    h = np.tanh(x @ W1 + b1)
    z = h @ W2 + b2
    return 0.5 * np.sum((z - t) ** 2)


PARAMS = ((W1, B1), (W2, B2))


def body(text):
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


def test_the_backward_pass_of_two_layers_reads_as_in_a_textbook():
    lines = body(bital.trace(bital.grad(loss), PARAMS, X, T).to_numpy())
    start = loss.__code__.co_firstlineno
    assert lines[6:] == [
        "h = np.tanh(x @ W1 + b1)  # (8, 5)",
        "z = h @ W2 + b2  # (8, 3)",
        f"# backward of line {start + 4} of test_views.py: return 0.5 * np.sum((z - t) ** 2)",
        "a = z - t  # (8, 3)",
        "d_z = a * 0.5 + 0.5 * a  # (8, 3)",
        f"# backward of line {start + 3} of test_views.py: z = h @ W2 + b2",
        "d_b2 = d_z.sum(axis=0)  # (3,)",
        "d_W2 = h.T @ d_z  # (5, 3)",
        "d_h = d_z @ W2.T  # (8, 5)",
        f"# backward of line {start + 2} of test_views.py: h = np.tanh(x @ W1 + b1)",
        "b = d_h * (1.0 - h * h)  # (8, 5)",
        "d_b1 = b.sum(axis=0)  # (5,)",
        "d_W1 = x.T @ b  # (4, 5)",
        "return [d_W1, d_b1, d_W2, d_b2]",
    ]


def test_a_blank_line_stands_before_the_backward_pass_only():
    text = bital.trace(bital.grad(loss), PARAMS, X, T).to_numpy()
    inside = text[text.index("def loss") :].rstrip().split("\n")
    blank = [index for index, line in enumerate(inside) if not line]
    assert len(blank) == 1
    assert inside[blank[0] + 1].startswith("    # backward of line")


def named_of(function, *arguments):
    return re.findall(r"^    (\w+) = ", bital.trace(function, *arguments).to_numpy(), re.M)


def helper(x):
    return np.sin(x) * 2.0


class TestNames:
    def test_of_each_turn_of_a_python_loop(self):
        def f(x):
            for _ in range(3):
                x = np.cos(x)
                h = np.exp(x)
            return h

        assert named_of(f, 1.0) == ["x_2", "x_3", "x_4", "h"]

    def test_of_what_a_helper_returns(self):
        def f(x):
            wave = helper(x)
            return wave + 1.0

        assert named_of(f, 1.0)[0] == "wave"

    def test_of_several_lines(self):
        def f(x):
            value = (
                np.sin(x)
                + np.cos(x)
            )  # fmt: skip
            value += 1.0
            return value * x

        assert {"value", "value_2"} <= set(named_of(f, 1.0))

    def test_of_a_cotangent_are_those_of_the_value(self):
        def f(x):
            z = np.sin(x)
            z = np.cos(z) * z
            return np.sum(z * z)

        names = named_of(bital.grad(f), np.ones(3))
        assert names.index("d_z_2") < names.index("d_z")

    def test_given_with_named(self):
        def f(w):
            return np.exp(bital.named(w[0], "layer/rate") * 2.0)

        assert "layer_rate" in named_of(f, np.ones(2))
        x = np.ones(2)
        assert bital.named(x, "x") is x


def test_scopes_stand_at_the_lines():
    def f(x):
        with bital.named_scope("encoder"), bital.named_scope("dense"):
            h = np.tanh(x)
        return np.sum(h * h)

    program = bital.trace(bital.grad(f), np.ones(3))
    scopes = {e.source.scope for e in program.equations if e.primitive.name == "tanh"}
    assert scopes == {"encoder/dense"}
    assert "(encoder/dense): h = np.tanh(x)" in program.to_numpy()


def test_a_parenthesis_stands_where_the_order_needs_it():
    assert put_together("a - b", {"b": "c - d"}) == "a - (c - d)"
    assert put_together("a + b", {"a": "c + d"}) == "c + d + b"
    assert put_together("a.T", {"a": "c @ d"}) == "(c @ d).T"
    assert put_together("a * b", {"a": "-c", "b": "-0.5"}) == "-c * -0.5"


def test_long_expressions_are_broken():
    def f(x):
        return np.sum(sum(np.sin(x * k) * np.cos(x + k) for k in range(1, 12)))

    text = bital.trace(f, np.ones(4)).to_numpy()
    assert max(map(len, text.splitlines())) < 100
    namespace = {}
    exec(text, namespace)
    x = np.linspace(0, 1, 4)
    assert namespace["f"](x) == [bital.jit(f, executor="numpy")(x)]


def test_the_same_expression_is_not_moved_past_a_loop():
    def f(x):
        a = np.sin(x)
        _, ys = bital.scan(lambda c, x: (c * x, c + x), 1.0, a)
        return np.sum(ys * np.exp(a))

    program = bital.trace(bital.grad(f), np.linspace(0, 1, 5))
    namespace = {}
    exec(program.to_numpy(), namespace)
    (got,) = namespace[program.name](np.linspace(0, 1, 5))
    np.testing.assert_allclose(got, bital.numerical_gradient(f, np.linspace(0, 1, 5)), atol=1e-7)


class TestKeras:
    def test_layers_and_weights_have_their_names(self):
        from bital.keras import Sequential, layers

        model = Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
        model.compile(optimizer="sgd", loss="mse")
        x, y = np.ones((5, 3), np.float32), np.ones((5, 2), np.float32)
        model.train_on_batch(x, y)
        steps = model._steps()
        values = [
            tuple(variable.value for variable in group) for group in (steps.trainable, steps.others)
        ]
        program = bital.trace(
            steps.train,
            *(values[0], model.optimizer.state, values[1], steps.zero_sums(), x, y, None),
            *(bital.random.key(0), np.float32(0.1)),
        )
        text = program.to_numpy()
        assert "def train(dense_kernel, dense_bias, dense_1_kernel, dense_1_bias" in text
        assert re.search(r"d_dense_1_kernel = \w+\.T @ ", text)
        assert re.search(r"# backward of line \d+ of core.py \(sequential\w*/dense\): ", text)


class TestDrawing:
    def test_every_statement_is_in_the_picture(self):
        program = bital.trace(bital.grad(loss), PARAMS, X, T)
        svg = program.draw().svg
        root = ElementTree.fromstring(svg)
        written = ("".join(node.itertext()) for node in root.iter() if node.tag[-4:] == "text")
        texts = {text.replace("\xa0", " ").strip() for text in written}
        for statement in (
            "h = np.tanh(x @ W1 + b1)   (8, 5) float64",
            "d_W1 = x.T @ b   (4, 5) float64",
            "b2   (3,) float64",
        ):
            assert statement in texts
        assert svg == program.draw().svg

    def test_it_is_written_to_files(self, tmp_path):
        drawing = bital.trace(lambda x: np.sin(x) * 2.0, 1.0).draw()
        assert drawing._repr_svg_() == drawing.svg
        drawing.save(tmp_path / "f.svg")
        assert (tmp_path / "f.svg").read_text() == drawing.svg
        drawing.save(tmp_path / "f.png")
        assert (tmp_path / "f.png").read_bytes()[1:4] == b"PNG"
        with pytest.raises(errors.ArgumentError, match=r"'f\.jpeg'.*\.svg"):
            drawing.save("f.jpeg")

    def test_loops_and_updates_have_their_boxes(self):
        def step(w, xs):
            slope = bital.grad(
                lambda w: np.sum(bital.scan(lambda c, x: (np.sin(c * x), c), w, xs)[1])
            )(w)
            return w - 0.1 * slope

        svg = bital.trace(step, 0.5, np.ones(4)).draw().svg
        assert "for i in range(4):" in svg.replace("\xa0", " ")

    def test_too_large_a_program_is_refused(self):
        def f(x):
            for k in range(500):
                x = np.sin(x) + k
            return x

        with pytest.raises(errors.ArgumentError, match=r"has 50\d statements"):
            bital.trace(f, 1.0).draw()

    def test_without_matplotlib(self, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
        with pytest.raises(errors.MissingExtraError, match="pip install matplotlib"):
            bital.trace(np.sin, 1.0).draw()
