"""Every choice that turns somebody's table of samples into a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scratchml.checks import check_shares, check_whole
from scratchml.errors import ScratchmlError
from scratchml.front_end import MAX_16_BITS, MAX_WINDOW, check_statistics
from scratchml.tables.reading import Reading

SPLITS = ("group", "time", "random")
SCALINGS = ("standard", "robust")
MISSING = ("refuse", "drop", "previous", "median")
BALANCES = ("none", "training")


@dataclass(frozen=True)
class Recipe:
    """Every choice that turns a table into a data set; stored with the model that came of it.

    Attributes:
        features: the columns that are read, in the order of the network's inputs.
        label: the column of classes, or ``target``: that of a number. One of the two.
        positive: of two classes the one that is "yes"; by default the second in order.
        units: of the features, and ``resolution``: counts a unit; one for all, one for each, or
            none: no unit, and as many decimals as the table has. A target has its unit behind
            those of all features, or by being one of them.
        window: samples in a row that are read together; ``step``: from one window to the next.
        horizon: samples from the newest of a window to the one whose label or target is asked; at
            0 a window must have one label throughout.
        statistics: what is computed of each channel of a window, by name; none: the samples as
            they are.
        group: the column of what must not stand on both sides of a split by group, a person's name
            for instance; ``session``: one whose changes windows do not reach across, either.
        split: ``group``, ``time`` (by the clock, where there is one, of all groups together) or
            ``random`` (class by class); by default the first that the table allows.
        test_groups: the groups of the test, by name; none: random ones.
        validation, test: share of the rows.
        balance: ``none``, or ``training``: undersample the larger classes there.
        scaling: ``standard`` (mean and standard deviation) or ``robust`` (median and quartiles).
        missing: what happens to a cell without a value: ``refuse``, ``drop`` (its sample), fill in
            the ``previous`` one, or the ``median`` of the training rows.
        reading: how the file is to be read.
        seed: for the random choices among these.
    """

    features: tuple[str, ...] = ()
    label: str = ""
    target: str = ""
    positive: str = ""
    units: tuple[str, ...] = ()
    resolution: tuple[int, ...] = ()
    window: int = 1
    step: int = 1
    horizon: int = 0
    statistics: tuple[str, ...] = ()
    group: str = ""
    session: str = ""
    split: str = ""
    test_groups: tuple[str, ...] = ()
    validation: float = 0.2
    test: float = 0.3
    balance: str = "none"
    scaling: str = "standard"
    missing: str = "refuse"
    reading: Reading = field(default_factory=Reading)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("features", "units", "statistics", "test_groups", "resolution"):
            items = getattr(self, name)
            if isinstance(items, str) or not isinstance(items, Sequence):
                raise ScratchmlError(f"{name} {items!r}: it must be a list")
            same = len(items) == 1 and name in ("units", "resolution")  # one for all
            items = tuple(items) * (len(self.features) if same else 1)
            object.__setattr__(self, name, items)  # was a list, if it comes from a file
        for name in ("label", "target", "positive", "group", "session", "split"):
            if not isinstance(getattr(self, name), str):
                raise ScratchmlError(f"{name} {getattr(self, name)!r}: it must be a text")
        if isinstance(self.reading, Mapping):
            object.__setattr__(self, "reading", Reading.from_json(self.reading))
        if not all(isinstance(name, str) for name in (*self.features, *self.units)):
            raise ScratchmlError("features and units must be texts")
        self._check_columns()
        for name, least, most in (
            ("window", 1, MAX_WINDOW),
            ("step", 1, MAX_16_BITS),
            ("horizon", 0, MAX_16_BITS),
            ("seed", 0, 2**63),
        ):
            check_whole(name, getattr(self, name), least, most)
        for number in self.resolution:
            check_whole("resolution", number, 1, 2**31 - 1)
        check_shares(self.validation, self.test)
        for name, known in (
            ("split", ("", *SPLITS)),
            ("scaling", SCALINGS),
            ("missing", MISSING),
            ("balance", BALANCES),
        ):
            if getattr(self, name) not in known:
                words = ", ".join(word for word in known if word)
                raise ScratchmlError(f"{name} {getattr(self, name)!r}: known are {words}")
        check_statistics(self.statistics)  # before a file is read for nothing
        if self.statistics and self.window < 2:
            raise ScratchmlError(
                f"statistics of a window of {self.window} sample: choose a longer window"
            )
        if self.positive and not self.label:
            raise ScratchmlError("positive is about a label: name its column")

    def unit(self, column: str) -> str:
        """Of a feature or the target; empty if it is not known."""
        units = dict(zip(self.features, self.units, strict=False))
        if self.target and len(self.units) > len(self.features):
            units[self.target] = self.units[-1]
        return units.get(column, "")

    def _check_columns(self) -> None:
        if not all(self.features):
            raise ScratchmlError("a feature without a name: features are columns of the table")
        if not self.features:
            raise ScratchmlError("no features: name the columns to read (--features ax,ay,az)")
        if bool(self.label) == bool(self.target):
            raise ScratchmlError(
                "name one column of what is asked: label for classes (--label) or target for a "
                "number (--target)"
            )
        named = [*self.features, self.label or self.target]
        for name in named:
            if named.count(name) > 1 and not (name == self.target and self.horizon):
                raise ScratchmlError(f"the column {name} is named twice")
        for name in ("units", "resolution"):
            items = getattr(self, name)
            one_more = name == "units" and bool(self.target)
            if items and len(items) not in (n := len(self.features), n + one_more):
                raise ScratchmlError(
                    f"{len(items)} {name} for {n} features: give one for each"
                    + (", and perhaps one for the target" if one_more else "")
                )
        if self.target in self.features and len(self.units) > len(self.features):
            read, told = self.units[self.features.index(self.target)], self.units[-1]
            if read != told:
                raise ScratchmlError(
                    f"{self.target} has the unit {read!r} as a feature and {told!r} as the target"
                )
        for name in filter(None, (self.group, self.session)):
            if name in (*self.features, self.target):
                raise ScratchmlError(f"the column {name} is read as numbers already")
        if self.group and self.group == self.label:
            raise ScratchmlError(
                f"a split by {self.group} leaves each part without some of its classes: the group "
                f"is another column than the label"
            )
        if self.split == "group" and not self.group:
            raise ScratchmlError("a split by group needs the column of groups (--group)")
        if self.test_groups and (not self.group or self.split not in ("", "group")):
            raise ScratchmlError("test groups are about a split by group (--group)")
        if self.balance != "none" and self.target:
            raise ScratchmlError("balance is about classes; a target has none")
