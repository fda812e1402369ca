"""Angles as data: what a gate's angle is, in terms of parameters and features."""

from __future__ import annotations

from dataclasses import dataclass

from qjax.checks import finite, integer


@dataclass(frozen=True)
class Angle:
    r"""An angle, `scale * params[param] * features[feature] + offset`, in radians.

    An absent factor is one; where both are absent the angle is the constant `offset`.

    Args:
        param: index of a trainable parameter, or None.
        feature: index of an (encoded) feature, or None.
        scale: factor of the product.
        offset: constant added to it.

    Raises:
        ArgumentError: if an index is not an integer of 0 or more, or a number is not finite.

    Example:
        >>> Angle(param=0, feature=2, scale=0.5)
        Angle(param=0, feature=2, scale=0.5, offset=0.0)
    """

    param: int | None = None
    feature: int | None = None
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self):
        set_field = object.__setattr__
        if self.param is not None:
            set_field(self, "param", integer("param", self.param, 0, "Count parameters from zero."))
        if self.feature is not None:
            set_field(self, "feature", integer("feature", self.feature, 0, "Count features from zero."))
        # Equal angles have one representation, hence one hash: -0.0 becomes 0.0, and a constant's scale 1.0.
        scale = finite("scale", self.scale) + 0.0
        set_field(self, "scale", 1.0 if self.is_constant else scale)
        set_field(self, "offset", finite("offset", self.offset) + 0.0)

    @property
    def is_constant(self) -> bool:
        """Whether neither a parameter nor a feature enters."""
        return self.param is None and self.feature is None

    def negated(self) -> Angle:
        """The angle times minus one.

        Example:
            >>> Angle(param=0, offset=0.5).negated()
            Angle(param=0, feature=None, scale=-1.0, offset=-0.5)
        """
        return Angle(self.param, self.feature, -self.scale, -self.offset)

    def shifted(self, params: int, features: int) -> Angle:
        """The angle with its indices moved.

        Args:
            params: added to the parameter's index, if there is one.
            features: added to the feature's index, if there is one.

        Returns:
            The moved angle.

        Raises:
            ArgumentError: if an index would be negative.

        Example:
            >>> Angle(param=1).shifted(10, 20)
            Angle(param=11, feature=None, scale=1.0, offset=0.0)
        """
        if self.is_constant or params == features == 0:
            return self
        param = None if self.param is None else self.param + params
        feature = None if self.feature is None else self.feature + features
        return Angle(param, feature, self.scale, self.offset)
