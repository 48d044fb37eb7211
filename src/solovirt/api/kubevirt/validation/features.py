"""Rules for features: the Hyper-V enlightenments and what they need. Source: kubevirt pkg/virt-api/webhooks/hyperv.go.

A VM's template is judged before defaulting, so what is merely not written down is no mistake: it will be filled in.
"""

from __future__ import annotations

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.defaulting.features import REQUIREMENTS, disabled, enabled
from solovirt.api.kubevirt.spec.features import FeatureHyperv
from solovirt.api.kubevirt.spec.instance import Domain
from solovirt.api.kubevirt.validation.text import check_printable

VENDOR_MAX = 12
"""Characters in the CPUID leaf that tells the vendor."""
LEAST_RETRIES = 4095
"""libvirt's and QEMU's; KubeVirt's documentation says one more."""
MOST_RETRIES = 2**32 - 1


def check_features(causes: Causes, domain: Domain, field: str) -> None:
    """``field`` is the path of ``domain``."""
    features = domain.features
    if features is None or features.hyperv is None:
        return
    place = f"{field}.features"
    if features.hyperv_passthrough is not None:
        text = (
            "Cannot explicitly set hyperV features if HypervPassthrough is being used."
            " Please use either HyperV or HypervPassthrough."
        )
        causes.add(INVALID, f"{place}.hypervPassthrough", text)
    _check_requirements(causes, features.hyperv, f"{place}.hyperv")
    _check_spinlocks(causes, features.hyperv, f"{place}.hyperv.spinlocks")
    _check_vendor(causes, features.hyperv, f"{place}.hyperv.vendorid")
    _check_time(causes, domain, field)


def _check_requirements(causes: Causes, hyperv: FeatureHyperv, field: str) -> None:
    for requirement in REQUIREMENTS:
        if enabled(hyperv, requirement.feature) and disabled(hyperv, requirement.needed):
            place = f"{field}.{requirement.feature}"
            causes.add(INVALID, place, f"'{place}' requires '{field}.{requirement.needed}', which was disabled.")
    direct = hyperv.tlbflush.direct if hyperv.tlbflush is not None and enabled(hyperv, "tlbflush") else None
    if direct is not None and direct.enabled is not False and disabled(hyperv, "vapic"):
        place = f"{field}.tlbflush.direct"
        causes.add(INVALID, place, f"'{place}' requires '{field}.vapic', which was disabled.")


def _check_spinlocks(causes: Causes, hyperv: FeatureHyperv, field: str) -> None:
    retries = hyperv.spinlocks.retries if hyperv.spinlocks is not None else None
    if retries is not None and not LEAST_RETRIES <= retries <= MOST_RETRIES:
        text = f"must be a value greater or equal 4096 and at most {MOST_RETRIES}"
        causes.invalid(f"{field}.spinlocks", retries, text)


def _check_vendor(causes: Causes, hyperv: FeatureHyperv, field: str) -> None:
    vendor = hyperv.vendorid
    if vendor is None or vendor.enabled is False:
        return
    place = f"{field}.vendorid"
    if not vendor.vendor_id:
        causes.add(REQUIRED, place, f"{place}: Required value: the hypervisor's name that the guest shall see")
    elif len(vendor.vendor_id) > VENDOR_MAX or not vendor.vendor_id.isascii():
        causes.invalid(place, vendor.vendor_id, f"must be no more than {VENDOR_MAX} ASCII characters")
    elif "," in vendor.vendor_id:
        causes.invalid(place, vendor.vendor_id, "must not contain commas: QEMU's -cpu has no way to write one")
    else:
        check_printable(causes, vendor.vendor_id, place, VENDOR_MAX)


def _check_time(causes: Causes, domain: Domain, field: str) -> None:
    hyperv = domain.features.hyperv if domain.features is not None else None
    timers = domain.clock.timer if domain.clock is not None else None
    if hyperv is None or timers is None or timers.hyperv is None or not enabled(hyperv, "synictimer"):
        return
    if timers.hyperv.present is False:
        place, needed = f"{field}.features.hyperv.synictimer", f"{field}.clock.timer.hyperv"
        causes.add(INVALID, place, f"'{place}' requires '{needed}', which was disabled.")
