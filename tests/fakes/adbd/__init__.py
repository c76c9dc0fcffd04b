"""A phone made of sockets: what adbd answers over TCP, so that the real adb can be tested.

Not proven by it: SELinux, the shell of a phone, throttling, the adbd of a vendor, TLS pairing.
"""

from tests.fakes.adbd.phone import Phone

__all__ = ["Phone"]
