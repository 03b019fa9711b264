"""The state that one address family has on one interface."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

from smolctl.stack.alarm import Alarm
from smolctl.stack.ip.addresses import AddressList
from smolctl.stack.ip.dad import DadTable
from smolctl.stack.ip.group_reports import GroupReports
from smolctl.stack.ip.groups import Groups
from smolctl.stack.neighbor.proxy import Proxies
from smolctl.stack.sysctl.link_settings import Values
from smolctl.wire.address import Family


@dataclass(slots=True, eq=False)
class IpInterface:
    """The addresses and groups that one family has on one interface.

    Attributes:
        addresses: its own.
        dad: which of the addresses are tested, announced or defended.
        proxies: whom it answers ARP for, on behalf of others.
        groups: the groups that it is a member of.
        reports: what of these is to be reported to routers, and when.
    """

    addresses: AddressList
    dad: DadTable
    proxies: Proxies
    groups: Groups
    reports: GroupReports

    def clone(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> "IpInterface":
        """Return a copy of what packets change; the addresses are shared."""
        result = copy(self)
        result.dad = self.dad.clone(settings, random, alarm)
        result.proxies = self.proxies.clone(settings, random, alarm)
        result.groups = self.groups.clone()
        result.reports = self.reports.clone(settings, random, alarm)
        return result


def make_ip_interface(
    family: Family, settings: Values, random: Callable[[], float], alarm: Alarm, all_hosts: int
) -> IpInterface:
    """Return the state of an interface that has no address yet.

    Args:
        all_hosts: the group that every interface is in.
    """
    return IpInterface(
        AddressList(family.bits),
        DadTable(settings, random, alarm),
        Proxies(settings, random, alarm),
        Groups(all_hosts),
        GroupReports(settings, random, alarm),
    )
