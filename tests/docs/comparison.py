"""Claims of README's comparison about smolctl, and the tests that show them."""

EVIDENCE: dict[str, tuple[str, ...]] = {
    "a host of its own without root": (
        "e2e/test_loopback.py::test_datagram_is_delivered_with_nothing_configured",
        "e2e/test_cable.py::test_two_stacks",
    ),
    "addresses, routes, neighbors in the words of `ip`": (
        "e2e/oracle/test_kernel_oracle.py::test_commands_end_the_same_and_leave_the_same_tables",
        "cli/test_against_linux.py::test_same_words_same_lines",
    ),
    "`route get` shows the routes that lost": (
        "cli/nouns/test_route.py::test_get_shows_the_candidates",
        "e2e/oracle/test_kernel_oracle.py::test_route_get_answers_agree",
    ),
    "why a packet was dropped, each one": (
        "property/test_law.py::test_every_packet_has_exactly_one_fate",
        "meta/test_reasons.py::test_every_reason_is_provoked",
    ),
    "... with a command that helps": (
        "e2e/fixes/test_fixes.py::test_fix_lets_the_packet_through",
        "e2e/fixes/test_fixes.py::test_every_reason_with_a_fix_is_here",
    ),
    "what would happen to a packet": (
        "property/test_predict.py::test_a_datagram_fares_as_predicted",
        "property/test_predict.py::test_a_frame_that_comes_in_fares_as_predicted",
    ),
    "a failed send or probe fails": (
        "e2e/test_cable.py::test_each_of_1000_lost_datagrams_is_accounted_for",
        "cli/test_live.py::test_a_closed_port_is_a_failure",
        "cli/test_exit.py::test_status",
    ),
    "JSON of tables, probes, events, errors": (
        "docs/test_schemas.py::test_what_is_printed_is_valid",
        "cli/test_against_linux.py::test_same_words_same_json",
        "cli/test_main.py::test_errors_are_json_when_json_is_asked_for",
    ),
    "ping, arping, traceroute, UDP": (
        "cli/test_against_linux.py::test_probes_print_what_iputils_print",
        "e2e/test_traceroute.py::test_text_is_that_of_traceroute",
        "e2e/test_udp_kernel.py::test_nc_talks_to_the_echo",
    ),
    "save, compare, all or nothing": (
        "e2e/test_config.py::test_a_copy_by_a_pipe",
        "e2e/test_config.py::test_the_difference_is_what_is_to_be_done",
        "e2e/test_batch.py::test_atomic_makes_all_or_nothing",
    ),
    "captures; bad wires": (
        "e2e/test_capture.py::test_the_same_packets_as_tcpdump_at_the_other_end",
        "e2e/test_cable.py::test_a_bad_cable_says_what_it_did",
    ),
    "TCP": (
        "e2e/test_loopback.py::test_a_stream_between_two_commands_without_privileges",
        "e2e/test_loopback.py::test_an_archive_goes_through_two_pipes",
        "e2e/test_tcp_kernel.py::test_data_arrives_both_ways",
    ),
    "IPv6": (
        "e2e/test_ipv6_shell.py::test_a_cable_is_enough",
        "e2e/oracle/test_kernel_oracle6.py::test_route_get_answers_agree",
        "e2e/oracle/test_kernel_oracle6.py::test_commands_end_the_same_and_leave_the_same_tables",
    ),
}
"""First cell of a row: tests below tests/."""
