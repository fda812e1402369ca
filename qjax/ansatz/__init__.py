"""Encodings of features and ansatz families: functions that return circuits."""

from __future__ import annotations

from qjax.ansatz.alternating import qaoa
from qjax.ansatz.amplitudes import amplitude
from qjax.ansatz.encodings import angle, identity, iqp, none
from qjax.ansatz.families import data_reuploading, hardware_efficient, strongly_entangling
from qjax.ansatz.initial import initial_params
from qjax.ansatz.layers import ENTANGLERS
from qjax.ansatz.protocol import Encoding, check_features
from qjax.ansatz.registry import ANSATZ_FAMILIES, ENCODINGS, BuiltAnsatz, build
from qjax.ansatz.topology import TOPOLOGIES, edges

__all__ = [
    "ANSATZ_FAMILIES",
    "ENCODINGS",
    "ENTANGLERS",
    "TOPOLOGIES",
    "BuiltAnsatz",
    "Encoding",
    "amplitude",
    "angle",
    "build",
    "check_features",
    "data_reuploading",
    "edges",
    "hardware_efficient",
    "identity",
    "initial_params",
    "iqp",
    "none",
    "qaoa",
    "strongly_entangling",
]
