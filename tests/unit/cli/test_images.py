"""Digits from files: arrays of every accepted form, and pictures as people make them."""

import builtins

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bital.cli import images
from bital.datasets import mnist
from bital.errors import ImageFileError, MissingExtraError


@pytest.fixture(scope="module")
def digits():
    _, (x, _) = mnist.load_data()
    return x[:6]


def saved(tmp_path, array):
    path = tmp_path / "digits.npy"
    np.save(path, array)
    return path


def drawn(size=200, paper=255, ink=0, mode="L", where=None):
    """A thick vertical bar, a quarter of the picture wide."""
    picture = Image.new(mode, (size, size), paper)
    where = where or (size * 3 // 8, size // 4, size * 5 // 8, size * 3 // 4)
    ImageDraw.Draw(picture).rectangle(where, fill=ink)
    return picture


@pytest.mark.parametrize(
    "shape", [(6, 28, 28), (6, 784), (6, 1, 28, 28), (6, 28, 28, 1), (1, 28, 28), (28, 28), (784,)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_arrays_of_every_form(tmp_path, digits, shape, dtype):
    count = 6 if shape[0] == 6 else 1
    found = images.load(saved(tmp_path, digits[:count].reshape(shape).astype(dtype)))
    expected = digits[:count].reshape(count, 784) / np.float32(255)
    assert found.images.dtype == np.float32
    assert np.array_equal(found.images, expected)
    assert found.notes == ("gray values divided by 255",)


def test_arrays_between_0_and_1_stay_as_they_are(tmp_path, digits):
    scaled = digits / 255
    found = images.load(saved(tmp_path, scaled))
    assert np.array_equal(found.images, scaled.reshape(6, 784).astype(np.float32))
    assert found.notes == ()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((28, 27)), r"shape \(28, 27\). Expected \(28, 28\)"),
        (np.zeros((3, 28, 28, 3)), "Expected"),
        (np.zeros(()), "Expected"),
        (np.zeros((0, 28, 28)), "no image at all"),
        (np.full((28, 28), np.nan), "not finite"),
        (np.full((28, 28), np.inf), "not finite"),
        (np.full((28, 28), -1), "values from -1 to -1"),
        (np.full((28, 28), 256), "to 256"),
        (np.full((28, 28), "7"), "gray values are numbers"),
        (np.zeros((28, 28), complex), "gray values are numbers"),
    ],
)
def test_arrays_that_are_no_digits_are_named(tmp_path, array, message):
    with pytest.raises(ImageFileError, match=message):
        images.load(saved(tmp_path, array))


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    path = tmp_path / "evil.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ImageFileError, match="cannot be read as a NumPy array"):
        images.load(path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array", b"PK\x03\x04"])
def test_unreadable_arrays_are_named(tmp_path, content):
    path = tmp_path / "digits.npy"
    path.write_bytes(content)
    with pytest.raises(ImageFileError, match="cannot be read as a NumPy array"):
        images.load(path)


def test_a_truncated_array_is_named(tmp_path, digits):
    path = saved(tmp_path, digits)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ImageFileError, match="cannot be read as a NumPy array"):
        images.load(path)


def test_an_archive_is_named(tmp_path, digits):
    np.savez(tmp_path / "digits.npz", digits)
    path = (tmp_path / "digits.npz").rename(tmp_path / "digits.npy")
    with pytest.raises(ImageFileError, match=r"Write one array with np\.save"):
        images.load(path)


def test_a_picture_like_those_of_mnist_is_taken_as_it_is(tmp_path, digits):
    Image.fromarray(digits[0]).save(tmp_path / "seven.png")
    found = images.load(tmp_path / "seven.png")
    assert np.array_equal(found.images, digits[:1].reshape(1, 784) / np.float32(255))
    assert found.notes == ()


def test_dark_ink_on_light_paper_is_inverted_and_said(tmp_path, digits):
    Image.fromarray(255 - digits[0]).save(tmp_path / "seven.png")
    found = images.load(tmp_path / "seven.png")
    assert np.array_equal(found.images, digits[:1].reshape(1, 784) / np.float32(255))
    assert found.notes == ("dark digit on light paper: colours inverted",)


@pytest.mark.parametrize(
    ("paper", "ink", "mode", "inverted"),
    [
        (255, 0, "L", True),
        (0, 255, "L", False),
        (230, 60, "L", True),
        (40, 180, "L", False),
        ((250, 250, 240), (10, 20, 90), "RGB", True),
        ((0, 0, 0, 0), (0, 0, 0, 255), "RGBA", True),
        (1, 0, "1", True),
    ],
)
def test_pictures_of_any_size_and_colour_become_the_same_digit(
    tmp_path, paper, ink, mode, inverted
):
    drawn(200, paper, ink, mode).save(tmp_path / "one.png")
    found = images.load(tmp_path / "one.png")
    # A bar of 51 x 101 pixels: 10 x 20 after scaling, its centre of mass in the middle.
    expected = np.zeros((28, 28))
    expected[4:24, 9:19] = 1
    assert found.images[0].reshape(28, 28) == pytest.approx(expected, abs=0.02)
    assert ("dark digit on light paper: colours inverted" in found.notes) == inverted
    assert found.notes[-1] == (
        "200 x 200 pixels: the digit (51 x 101) was scaled to 20 and centred in 28 x 28"
    )


def test_a_digit_in_a_corner_is_centred(tmp_path):
    drawn(300, where=(200, 20, 225, 70)).save(tmp_path / "one.png")
    image = images.load(tmp_path / "one.png").images.reshape(28, 28)
    rows, columns = np.nonzero(image > 0.5)
    assert (rows.min(), rows.max()) == (4, 23)
    assert abs(columns.mean() - 13.5) <= 0.5


def test_a_small_picture_is_enlarged(tmp_path):
    drawn(16).save(tmp_path / "one.png")
    image = images.load(tmp_path / "one.png").images.reshape(28, 28)
    rows = np.nonzero((image > 0.5).any(axis=1))[0]
    assert len(rows) == pytest.approx(20, abs=1)


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 2**31),
    density=st.sampled_from([0.01, 0.3, 0.9]),
)
def test_any_picture_gives_an_image_or_a_named_error(tmp_path_factory, size, seed, density):
    random = np.random.RandomState(seed)
    gray = np.where(random.random_sample(size) < density, random.randint(0, 256, size), 250)
    path = tmp_path_factory.getbasetemp() / "any.png"
    Image.fromarray(gray.astype(np.uint8)).save(path)
    try:
        found = images.load(path)
    except ImageFileError as error:
        assert "looks blank" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert found.images.shape == (1, 784)
        assert 0 <= found.images.min() <= found.images.max() <= 1
        assert found.images.max() > 0.05


@pytest.mark.parametrize("paper", [0, 128, 255])
def test_a_blank_picture_is_named(tmp_path, paper):
    Image.new("L", (100, 80), paper).save(tmp_path / "blank.png")
    with pytest.raises(ImageFileError, match="looks blank"):
        images.load(tmp_path / "blank.png")


def test_pictures_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    drawn().save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    for name in ("text.png", "empty.png", "cut.png", "absent.png", "."):
        with pytest.raises(ImageFileError, match="cannot be read as a picture"):
            images.load(tmp_path / name)


def test_huge_pictures_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    Image.new("1", (images.LARGEST + 1, 2)).save(tmp_path / "wide.png")
    with pytest.raises(ImageFileError, match="the longest side may have 4096"):
        images.load(tmp_path / "wide.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    drawn(60).save(tmp_path / "bomb.png")
    with pytest.raises(ImageFileError, match="is too large"):
        images.load(tmp_path / "bomb.png")


def test_without_pillow_the_extra_is_named(tmp_path, monkeypatch):
    drawn().save(tmp_path / "one.png")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "PIL":
            raise ModuleNotFoundError("No module named 'PIL'", name="PIL")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match="pip install pillow"):
        images.load(tmp_path / "one.png")
