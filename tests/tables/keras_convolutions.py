"""Rows of layers with spatial axes: convolutions, pooling, resizing, normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from tables.layer_row import Row, Shape

SEQUENCE, IMAGE, VOLUME = (2, 7, 4), (2, 6, 5, 4), (2, 4, 5, 3, 2)


def _row(name: str, shape: Shape, options: dict[str, Any], **more: Any) -> Row:
    """A row of the layer that its name begins with; the options are plain data."""
    layer = name.partition(" ")[0]
    return Row(name, lambda k: getattr(k.layers, layer)(**options), [shape], **more)


def _conv(name: str, shape: Shape, **options: Any) -> Row:
    return _row(name, shape, {"filters": 3, "kernel_size": 2} | options)


EVERYTHING = {
    "activation": "tanh",
    "kernel_initializer": "he_normal",
    "bias_initializer": "ones",
    "kernel_regularizer": "l1",
    "bias_regularizer": "l2",  # not l1, whose kink the constraint leads to
    "activity_regularizer": "l2",
    "kernel_constraint": "max_norm",
    "bias_constraint": "non_neg",
}
DEPTHWISE = {key.replace("kernel", "depthwise"): value for key, value in EVERYTHING.items()}
POINTWISE = {key.replace("kernel", "pointwise"): value for key, value in EVERYTHING.items()}

CONVOLUTIONS = [
    _conv("Conv1D", SEQUENCE),
    _conv("Conv1D same", SEQUENCE, kernel_size=3, strides=2, padding="same"),
    _conv("Conv1D causal", SEQUENCE, kernel_size=3, padding="causal", dilation_rate=2),
    _conv("Conv1D causal strides", SEQUENCE, kernel_size=3, padding="causal", strides=2),
    _conv("Conv1D groups", SEQUENCE, filters=4, groups=2, use_bias=False),
    _conv("Conv1D everything", SEQUENCE, **EVERYTHING),
    _conv("Conv2D", IMAGE),
    _conv("Conv2D same", IMAGE, kernel_size=(3, 2), padding="same", activation="sigmoid"),
    _conv("Conv2D strides", IMAGE, kernel_size=(2, 3), strides=(2, 1), use_bias=False),
    _conv("Conv2D same strides", IMAGE, kernel_size=4, strides=(2, 3), padding="SAME"),
    _conv("Conv2D dilation", IMAGE, kernel_size=(3, 2), dilation_rate=(2, 3)),
    _conv("Conv2D dilation same", IMAGE, kernel_size=3, dilation_rate=2, padding="same"),
    _conv("Conv2D groups", IMAGE, filters=6, kernel_size=3, groups=2),
    _conv("Conv2D of one pixel", IMAGE, kernel_size=1),
    _conv("Conv2D everything", IMAGE, **EVERYTHING),
    _conv("Conv3D", VOLUME),
    _conv("Conv3D options", VOLUME, kernel_size=(1, 3, 2), strides=(1, 2, 1), padding="same"),
    _conv("Conv3D groups", VOLUME, filters=2, groups=2, kernel_size=(2, 1, 3)),
    _conv("Conv1DTranspose", SEQUENCE),
    _conv("Conv1DTranspose strides", SEQUENCE, kernel_size=3, strides=2, output_padding=1),
    _conv("Conv1DTranspose gaps", SEQUENCE, kernel_size=2, strides=3),
    _conv("Conv2DTranspose", IMAGE),
    _conv("Conv2DTranspose same", IMAGE, kernel_size=3, strides=2, padding="same"),
    _conv(
        "Conv2DTranspose output padding",
        IMAGE,
        kernel_size=(3, 4),
        strides=(2, 3),
        padding="same",
        output_padding=(1, 0),
    ),
    _conv("Conv2DTranspose dilation", IMAGE, kernel_size=3, dilation_rate=2, use_bias=False),
    _conv("Conv2DTranspose everything", IMAGE, strides=2, **EVERYTHING),
    _conv("Conv3DTranspose", VOLUME, strides=(1, 2, 2), padding="same"),
    _row("DepthwiseConv1D", SEQUENCE, {"kernel_size": 3, "depth_multiplier": 2}),
    _row("DepthwiseConv2D", IMAGE, {"kernel_size": 3}),
    _row(
        "DepthwiseConv2D everything",
        IMAGE,
        {"kernel_size": (3, 2), "strides": 2, "padding": "same", "depth_multiplier": 2} | DEPTHWISE,
    ),
    _row("DepthwiseConv2D dilation", IMAGE, {"kernel_size": 2, "dilation_rate": (1, 2)}),
    _conv("SeparableConv1D", SEQUENCE, padding="same", strides=2),
    _conv("SeparableConv2D", IMAGE, kernel_size=3, depth_multiplier=2, use_bias=False),
    _conv("SeparableConv2D everything", IMAGE, padding="same", **DEPTHWISE | POINTWISE),
]

SPATIAL = {1: SEQUENCE, 2: IMAGE, 3: VOLUME}

POOLING = [
    _row(f"{kind}Pooling{rank}D{name}", shape, options)
    for kind in ("Max", "Average")
    for rank, shape in SPATIAL.items()
    for name, options in {
        "": {"pool_size": 2},
        " same": {"pool_size": 3, "padding": "same"},
        " overlapping": {"pool_size": 2, "strides": 1},
        " overlapping same": {"pool_size": 3, "strides": 2, "padding": "same"},
    }.items()
] + [
    _row(f"Global{kind}Pooling{rank}D{' keepdims' * keep}", shape, {"keepdims": keep})
    for kind in ("Max", "Average")
    for rank, shape in SPATIAL.items()
    for keep in (False, True)
]

RESIZING = [
    _row("UpSampling1D", SEQUENCE, {"size": 3}),
    _row("UpSampling2D", IMAGE, {}),
    _row("UpSampling2D uneven", IMAGE, {"size": (3, 1)}),
    *[
        _row(f"UpSampling2D {name}", IMAGE, {"size": (2, 3), "interpolation": name}, tolerance=1e-6)
        for name in ("bilinear", "bicubic", "lanczos3", "lanczos5")
    ],
    _row("UpSampling3D", VOLUME, {"size": (1, 2, 3)}),
    _row("ZeroPadding1D", SEQUENCE, {"padding": (2, 0)}),
    _row("ZeroPadding2D", IMAGE, {}),
    _row("ZeroPadding2D uneven", IMAGE, {"padding": ((1, 2), 3)}),
    _row("ZeroPadding3D", VOLUME, {"padding": (1, 0, 2)}),
    _row("Cropping1D", SEQUENCE, {"cropping": (2, 0)}),
    _row("Cropping2D", IMAGE, {"cropping": ((1, 2), (0, 1))}),
    _row("Cropping2D default", IMAGE, {}),
    _row("Cropping3D", VOLUME, {"cropping": ((1, 0), (2, 2), (0, 1))}),
]

NORMALIZATION = [
    _row("BatchNormalization", (6, 4), {}),
    _row("BatchNormalization of images", IMAGE, {"momentum": 0.9, "epsilon": 1e-5}),
    _row("BatchNormalization axis", IMAGE, {"axis": 1, "scale": False}),
    _row("BatchNormalization plain", SEQUENCE, {"center": False, "scale": False}),
    _row("BatchNormalization mask", SEQUENCE, {}, mask=SEQUENCE[:2]),
    _row("BatchNormalization frozen", (6, 4), {"trainable": False}),
    _row(
        "BatchNormalization everything",
        (6, 4),
        {
            "beta_initializer": "ones",
            "gamma_initializer": "he_normal",
            "moving_mean_initializer": "ones",
            "moving_variance_initializer": "zeros",
            "beta_regularizer": "l1",
            "gamma_regularizer": "l2",
            "beta_constraint": "unit_norm",
            "gamma_constraint": "non_neg",
        },
    ),
    _row("GroupNormalization", IMAGE, {"groups": 2}),
    _row("GroupNormalization each", IMAGE, {"groups": -1, "gamma_regularizer": "l2"}),
    _row("GroupNormalization axis", IMAGE, {"groups": 3, "axis": 1, "center": False}),
    _row("GroupNormalization of rows", (5, 6), {"groups": 3, "scale": False}),
    _row("UnitNormalization", (4, 3), {}),
    _row("UnitNormalization axes", IMAGE, {"axis": [1, 3]}),
    Row(
        "UnitNormalization of zeros",
        lambda k: k.layers.UnitNormalization(),
        [(3, 2)],
        draw=lambda rng, shape: np.concatenate([np.zeros((1, 2)), np.ones((2, 2))]),
        smooth=False,
        peer=False,  # its gradient is NaN there
    ),
]

MASKED = [
    _row("GlobalAveragePooling1D mask", SEQUENCE, {}, mask=SEQUENCE[:2]),
]

ROWS = [*CONVOLUTIONS, *POOLING, *RESIZING, *NORMALIZATION, *MASKED]

ROWS += [
    Row(
        "SpectralNormalization",
        lambda k: k.layers.SpectralNormalization(k.layers.Dense(3), power_iterations=2),
        [(4, 5)],
        smooth=False,  # the vectors of the power iteration count as constants
    ),
    Row(
        "SpectralNormalization of a convolution",
        lambda k: k.layers.SpectralNormalization(k.layers.Conv2D(3, 2, use_bias=False)),
        [IMAGE],
        smooth=False,
    ),
]

ROWS += [
    _row(f"Adaptive{kind}Pooling{rank}D{name}", SPATIAL[rank], {"output_size": size})
    for kind in ("Max", "Average")
    for rank, name, size in (
        (1, "", 3),
        (1, " longer", 9),
        (2, "", (4, 2)),
        (2, " even", (3, 5)),
        (3, "", 2),
    )
]
