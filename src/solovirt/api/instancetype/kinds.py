"""The four kinds of instancetype.kubevirt.io/v1beta1: names and columns. Source: KubeVirt's CRDs."""

from __future__ import annotations

from solovirt.api.columns import crd_age
from solovirt.api.instancetype import instancetype, preference_rules
from solovirt.api.instancetype.instancetype import VirtualMachineClusterInstancetype, VirtualMachineInstancetype
from solovirt.api.instancetype.preference import VirtualMachineClusterPreference, VirtualMachinePreference
from solovirt.api.resource import Resource

GROUP = "instancetype.kubevirt.io"
VERSION = "v1beta1"


INSTANCETYPES = Resource(
    group=GROUP,
    version=VERSION,
    kind="VirtualMachineInstancetype",
    plural="virtualmachineinstancetypes",
    singular="virtualmachineinstancetype",
    type=VirtualMachineInstancetype,
    short_names=("vminstancetype", "vminstancetypes", "vmf", "vmfs"),
    categories=("all",),
    columns=(crd_age(VirtualMachineInstancetype),),
    validate=instancetype.validate,
)
CLUSTER_INSTANCETYPES = Resource(
    group=GROUP,
    version=VERSION,
    kind="VirtualMachineClusterInstancetype",
    plural="virtualmachineclusterinstancetypes",
    singular="virtualmachineclusterinstancetype",
    type=VirtualMachineClusterInstancetype,
    short_names=("vmclusterinstancetype", "vmclusterinstancetypes", "vmcf", "vmcfs"),
    namespaced=False,
    columns=(crd_age(VirtualMachineClusterInstancetype),),
    validate=instancetype.validate,
)
PREFERENCES = Resource(
    group=GROUP,
    version=VERSION,
    kind="VirtualMachinePreference",
    plural="virtualmachinepreferences",
    singular="virtualmachinepreference",
    type=VirtualMachinePreference,
    short_names=("vmpref", "vmprefs", "vmp", "vmps"),
    categories=("all",),
    columns=(crd_age(VirtualMachinePreference),),
    validate=preference_rules.validate,
)
CLUSTER_PREFERENCES = Resource(
    group=GROUP,
    version=VERSION,
    kind="VirtualMachineClusterPreference",
    plural="virtualmachineclusterpreferences",
    singular="virtualmachineclusterpreference",
    type=VirtualMachineClusterPreference,
    short_names=("vmcp", "vmcps"),
    namespaced=False,
    columns=(crd_age(VirtualMachineClusterPreference),),
    validate=preference_rules.validate,
)
