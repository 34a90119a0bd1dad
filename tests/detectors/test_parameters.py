"""Parameters declared, described and constrained once, and inherited from there."""

from __future__ import annotations

import inspect
import re
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import curvdetect
from curvdetect.detectors.parameters import Number, check_parameters, check_value, with_parameters

EXPORTED = [getattr(curvdetect, name) for name in curvdetect.__all__]
ESTIMATORS = [c for c in EXPORTED if isinstance(c, type) and issubclass(c, BaseEstimator)]


def described(docstring, heading="Parameters"):
    """Return the names that a section of a docstring describes, and the texts without a word."""
    section = re.search(rf"^{heading}\n-+\n(.*?)(?=\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL | re.MULTILINE)
    entries = re.split(r"\n(?=\S)", section[1])
    heads = [entry.partition("\n")[0].partition(" : ") for entry in entries]
    empty = [entry for entry in entries if "\n    " not in entry]
    return [name for names, _, _ in heads for name in names.split(", ")], empty


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda c: c.__name__)
def test_the_docstring_of_every_public_class_describes_all_its_parameters_and_no_others(cls):
    names, empty = described(cls.__doc__)
    assert sorted(names) == sorted(cls._get_param_names())
    assert len(set(names)) == len(names)
    assert empty == []
    assert "Examples" in cls.__doc__ or inspect.isabstract(cls)
    attributes, empty = described(cls.__doc__, "Attributes")
    assert len(set(attributes)) == len(attributes)
    assert empty == []


@with_parameters
class Base(BaseEstimator):
    """Base.

    Parameters
    ----------
    net : object
        Of the base.
    a : int
        Of the base.

    Attributes
    ----------
    a_, b_ : int
        Fitted.

    Notes
    -----
    Not inherited.
    """

    net: object = None
    a: int = 1
    _constraints: ClassVar = {"a": [None, "auto", Number("a whole number, at least 1"), callable]}


@with_parameters
class Derived(Base):
    """Derived.

    More of it.

    Parameters
    ----------
    b : float
        Of its own.
    a : int
        Described anew.

    See Also
    --------
    Base : Where the net is from.
    """

    b: float = 0.5
    _constraints: ClassVar = {"b": [Number("a share in (0, 1)", float, lambda share: 0 < share < 1)]}


def test_descriptions_are_inherited_unless_there_are_own_ones():
    assert (
        inspect.cleandoc("""
        Derived.

        More of it.

        Parameters
        ----------
        net : object
            Of the base.
        b : float
            Of its own.
        a : int
            Described anew.

        Attributes
        ----------
        a_, b_ : int
            Fitted.

        See Also
        --------
        Base : Where the net is from.
    """)
        == Derived.__doc__
    )


def test_constraints_are_inherited():
    check_parameters(Derived(a="auto", b=0.1))
    with pytest.raises(ValueError, match="a must be None, 'auto'"):
        check_parameters(Derived(a=0))
    with pytest.raises(ValueError, match=r"^b must be a share in \(0, 1\), got 1\.0\.$"):
        check_parameters(Derived(b=1.0))


def test_only_what_is_listed_is_allowed():
    for value in (1, np.int64(3), np.uint8(1), "auto", None, len):
        check_value("a", value, Base._constraints["a"])
    for value in (0, True, np.True_, 1.5, "other", b"auto", [1], float("nan")):
        with pytest.raises(ValueError, match=r"^a must be None, 'auto', a whole .* or a callable, got "):
            check_value("a", value, Base._constraints["a"])
