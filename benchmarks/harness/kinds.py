"""Small labelled data of many kinds, made or bundled with scikit-learn: what people bring, in its shapes and units."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_blobs,
    make_circles,
    make_classification,
    make_gaussian_quantiles,
    make_moons,
)
from sklearn.feature_extraction.text import TfidfTransformer

Labelled = tuple[np.ndarray, np.ndarray]


def clusters(n: int, d: int, k: int, seed: int, *, informative: int | None = None, sep: float = 2.0) -> Labelled:
    """Return a cluster for each class in some of the columns, noise in the others."""
    informative = min(30, d) if informative is None else informative
    return make_classification(
        n,
        d,
        n_informative=informative,
        n_redundant=min(30, d // 5, d - informative),
        n_classes=k,
        class_sep=sep,
        flip_y=0,
        n_clusters_per_class=1,
        random_state=seed,
    )


def genes(n: int, d: int, k: int, seed: int) -> Labelled:
    """Return fifty columns that tell each class, and thousands that tell nothing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    X = rng.standard_normal((n, d), dtype=np.float32) * 0.5
    for c in range(k):
        X[y == c, c * 50 : (c + 1) * 50] += 1.5
    return X, y


def cauchy(n: int, d: int, k: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    return rng.normal(0, 3, (k, d))[y] + rng.standard_t(1.2, (n, d)), y


def units(n: int, d: int, k: int, seed: int) -> Labelled:
    """Return columns whose units differ by a million."""
    X, y = clusters(n, d, k, seed)
    rng = np.random.default_rng(seed)
    return X * 10 ** rng.uniform(-3, 3, d) + 10 ** rng.uniform(-3, 3, d), y


def one_hot(n: int, columns: int, levels: int, k: int, seed: int) -> Labelled:
    """Return categories, half of which tell the class, as columns of zeros and ones."""
    rng = np.random.default_rng(seed)
    codes, weights = rng.integers(0, levels, (n, columns)), rng.normal(size=(columns, levels, k))
    weights[columns // 2 :] = 0
    y = sum(weights[j, codes[:, j]] for j in range(columns)).argmax(1)
    return np.concatenate([np.eye(levels)[codes[:, j]] for j in range(columns)], axis=1), y


def counts(n: int, d: int, k: int, seed: int) -> Labelled:
    """Return counts of words: nearly all are zero."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    common = rng.dirichlet(np.full(d, 0.05))
    topics = np.stack([rng.dirichlet(0.02 + 20 * common) for _ in range(k)])
    return np.stack([rng.multinomial(rng.integers(20, 80), (topics[c] + common) / 2) for c in y]).astype(float), y


def constant(n: int, d: int, k: int, seed: int, changed: int) -> Labelled:
    """Return columns of which half are constant, but for ``changed`` rows of each."""
    X, y = clusters(n, d, k, seed)
    rng = np.random.default_rng(seed)
    X[:, d // 2 :] = rng.normal(size=d - d // 2)
    for j in range(d // 2, d):
        X[rng.integers(0, n, changed), j] += rng.normal(size=changed)
    return X, y


def correlated(n: int, d: int, k: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    X, y = clusters(n, 10, k, seed, informative=8)
    return X @ rng.normal(size=(10, d)) + 0.1 * rng.normal(size=(n, d)), y


def embeddings(n: int, d: int, k: int, seed: int) -> Labelled:
    """Return vectors of length one around a common direction, as networks put them out."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    centers = rng.normal(size=(k, d)) * 2.7 / np.sqrt(d)
    z = centers[y] + rng.normal(size=(n, d)) * np.linspace(4, 0.2, d) / np.sqrt(d) + rng.normal(size=d) / 2
    return z / np.linalg.norm(z, axis=1, keepdims=True), y


def imbalanced(n: int, d: int, seed: int) -> Labelled:
    return make_classification(
        n,
        d,
        n_informative=10,
        n_redundant=0,
        n_classes=3,
        weights=[0.9, 0.07, 0.03],
        class_sep=1.5,
        flip_y=0,
        n_clusters_per_class=1,
        random_state=seed,
    )


def checkerboard(n: int, d: int, seed: int) -> Labelled:
    """Return classes that two columns tell together, and none alone."""
    X = np.random.default_rng(seed).uniform(-1, 1, (n, d))
    return X, ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)


def spiral(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    y, t = rng.integers(0, 3, n), rng.uniform(0.2, 1, n)
    angle = t * 7 + y * 2 * np.pi / 3
    return np.c_[t * np.cos(angle), t * np.sin(angle)] + 0.02 * rng.normal(size=(n, 2)), y


def shapes(n: int, side: int, channels: int, seed: int, *, scale: object = 1.0) -> Labelled:
    """Return pictures of a disc, of upright and of level bars, anywhere, in some channels; each channel in its unit."""
    rng = np.random.default_rng(seed)
    y, place = rng.integers(0, 3, n), np.arange(side)
    X = rng.uniform(0, 0.3, (n, channels, side, side))
    for picture, label in zip(X, y, strict=True):
        size = side * rng.uniform(0.25, 0.4)
        row, column = rng.uniform(size, side - size, 2)
        down, right = (place - row)[:, None], (place - column)[None]
        inside = (abs(down) <= size) & (abs(right) <= size)
        drawn = down**2 + right**2 <= size**2
        if label:
            along = right if label == 1 else down
            drawn = inside & (np.floor(along * 2.5 / size + 100) % 2 == 0)
        picture[:, drawn] += rng.uniform(0.1, 0.6, (channels, 1))
    return (X * np.reshape(scale, (-1, 1, 1))).astype(np.float32), y


def bundled(load: Callable[..., Labelled]) -> Callable[[int], Labelled]:
    return lambda seed: load(return_X_y=True)


#: From a name to data, made with a seed.
TABLES: dict[str, Callable[[int], Labelled]] = {
    "iris": bundled(load_iris),
    "wine": bundled(load_wine),
    "breast cancer": bundled(load_breast_cancer),
    "digits": bundled(load_digits),
    "two clouds": lambda seed: make_blobs(60, 2, centers=2, cluster_std=1.0, random_state=seed),
    "few rows": lambda seed: clusters(60, 30, 2, seed, informative=10),
    "genes, 60 rows": lambda seed: genes(60, 30_000, 2, seed),
    "genes": lambda seed: genes(200, 20_000, 3, seed),
    "genes, 4 classes": lambda seed: genes(100, 2_000, 4, seed),
    "wide 20": lambda seed: clusters(500, 20, 5, seed),
    "wide 100": lambda seed: clusters(500, 100, 5, seed),
    "wide 200": lambda seed: clusters(500, 200, 5, seed),
    "wide 300": lambda seed: clusters(500, 300, 5, seed),
    "wide 500": lambda seed: clusters(500, 500, 5, seed),
    "wide 1000": lambda seed: clusters(2_000, 1_000, 10, seed),
    "moons": lambda seed: make_moons(1_000, noise=0.15, random_state=seed),
    "circles": lambda seed: make_circles(600, noise=0.08, factor=0.5, random_state=seed),
    "spiral": lambda seed: spiral(1_500, seed),
    "checkerboard": lambda seed: checkerboard(1_000, 10, seed),
    "shells": lambda seed: make_gaussian_quantiles(n_samples=2_000, n_features=8, n_classes=4, random_state=seed),
    "200 classes": lambda seed: make_blobs(6_000, 50, centers=200, cluster_std=3.0, random_state=seed),
    "50 classes": lambda seed: make_blobs(2_500, 16, centers=50, cluster_std=2.5, random_state=seed),
    "heavy tails": lambda seed: (lambda X, y: (np.sinh(1.5 * X), y))(*clusters(1_000, 40, 4, seed)),
    "log-normal": lambda seed: (lambda X, y: (np.exp(X), y))(*clusters(1_000, 30, 4, seed)),
    "Cauchy": lambda seed: cauchy(1_000, 20, 4, seed),
    "units": lambda seed: units(1_000, 30, 4, seed),
    "one-hot": lambda seed: one_hot(2_000, 20, 12, 4, seed),
    "word counts": lambda seed: counts(1_500, 800, 5, seed),
    "tf-idf": lambda seed: (lambda X, y: (TfidfTransformer().fit_transform(X).toarray(), y))(
        *counts(1_500, 2_000, 5, seed)
    ),
    "half constant": lambda seed: constant(800, 60, 4, seed, 0),
    "half nearly constant": lambda seed: constant(800, 120, 4, seed, 2),
    "correlated": lambda seed: correlated(800, 400, 4, seed),
    "embeddings": lambda seed: embeddings(3_000, 768, 10, seed),
    "embeddings, few": lambda seed: embeddings(400, 1_280, 10, seed),
    "imbalanced": lambda seed: imbalanced(1_500, 20, seed),
    "20,000 rows": lambda seed: clusters(20_000, 30, 6, seed, informative=12, sep=1.2),
}
#: Asked for by name alone: minutes a training.
LARGE: dict[str, Callable[[int], Labelled]] = {
    "100,000 rows": lambda seed: clusters(100_000, 10, 4, seed, informative=8, sep=1.2),
}
PICTURES: dict[str, Callable[[int], Labelled]] = {
    "digits, 8 pixels": lambda seed: (lambda digits: (digits.images / 16, digits.target))(load_digits()),
    "100 pictures": lambda seed: shapes(100, 24, 1, seed),
    "pictures from 0 to 255": lambda seed: shapes(300, 16, 3, seed, scale=255.0),
    "pictures from 0 to .0001": lambda seed: shapes(300, 16, 3, seed, scale=1e-4),
    "12 channels, own units": lambda seed: shapes(300, 16, 12, seed, scale=10 ** np.linspace(-3, 3, 12)),
    "128 pixels": lambda seed: shapes(120, 128, 1, seed),
}
KINDS = TABLES | LARGE | PICTURES
