"""The state that one address family has on one interface."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from smolctl.stack.alarm import Alarm
from smolctl.stack.duplicate import duplicate
from smolctl.stack.ip.addresses import AddressList
from smolctl.stack.ip.dad import DadRules, DadTable
from smolctl.stack.ip.group_reports import GroupReports, ReportRules
from smolctl.stack.ip.groups import Groups
from smolctl.stack.ip.lifetimes import Lifetimes
from smolctl.stack.neighbor.proxy import Proxies
from smolctl.stack.sysctl.link_settings import Values


@dataclass(slots=True, eq=False)
class IpInterface:
    """The addresses and groups that one family has on one interface.

    Attributes:
        addresses: its own.
        dad: which of the addresses are tested, announced or defended.
        lifetimes: which of the addresses do not last for ever.
        proxies: whom it answers ARP for, on behalf of others.
        groups: the groups that it is a member of.
        reports: what of these is to be reported to routers, and when.
    """

    addresses: AddressList
    dad: DadTable
    lifetimes: Lifetimes
    proxies: Proxies
    groups: Groups
    reports: GroupReports

    def clone(self, settings: Values, random: Callable[[], float], alarm: Alarm) -> "IpInterface":
        """Return a copy of what packets change; the addresses are shared."""
        result = duplicate(self)
        result.dad = self.dad.clone(settings, random, alarm)
        result.lifetimes = Lifetimes(alarm)  # no address ends before a prediction does
        result.proxies = self.proxies.clone(settings, random, alarm)
        result.groups = self.groups.clone()
        result.reports = self.reports.clone(settings, random, alarm)
        return result


def make_ip_interface(
    addresses: AddressList,
    dad: DadRules,
    reports: ReportRules,
    settings: Values,
    random: Callable[[], float],
    alarm: Alarm,
    always: Iterable[int],
) -> IpInterface:
    """Return the state of an interface that has no address yet.

    Args:
        addresses: an empty list of its family.
        dad, reports: the rules of its family.
        always: the groups that every interface is in.
    """
    return IpInterface(
        addresses,
        DadTable(dad, alarm),
        Lifetimes(alarm),
        Proxies(settings, random, alarm),
        Groups(*always),
        GroupReports(reports, settings, random, alarm),
    )
