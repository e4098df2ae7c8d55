"""Names of before, for as long as studies use them: see `dnerv.codecs`."""

from dnerv.codecs import CODECS

CRF_STEP = {name: codec.crf_step for name, codec in CODECS.items()}
