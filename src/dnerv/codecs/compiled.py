"""What of this package is compiled: `planes`, None where no compiler was there when dnerv was installed.

Nothing but time depends on it: swscale and NumPy give the same values to the bit.
"""

try:
    import dnerv.codecs._planes as planes
except ImportError:
    planes = None  # type: ignore[assignment]

__all__ = ["planes"]
