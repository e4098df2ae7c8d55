"""All codecs by name."""

from collections.abc import Mapping

from dnerv.codecs.codec import Codec
from dnerv.codecs.programs import Aom, Vvc
from dnerv.codecs.stills import JPEG, PNG, Still
from dnerv.codecs.svtav1 import SvtAv1
from dnerv.codecs.x26x import X264, X265

CODECS: Mapping[str, Codec] = {codec.name: codec for codec in (X264(), X265(), SvtAv1(), Aom(), Vvc())}
STILLS: Mapping[str, Still] = {still.name: still for still in (JPEG, PNG)}
