"""TCP options: Linux's order, what is skipped, what ends the list, and words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolctl.wire import tcp_options
from smolctl.wire.tcp_options import NO_OPTIONS, TcpOptions, parse

longs = st.integers(0, 0xFFFFFFFF)
times = st.tuples(longs, longs)
timeouts = st.integers(0, 32767) | st.integers(547, 32767).map(lambda minutes: minutes * 60)
syns = st.builds(
    TcpOptions,
    mss=st.none() | st.integers(1, 0xFFFF),
    window_scale=st.none() | st.integers(0, 14),
    sack_permitted=st.booleans(),
    timestamps=st.none() | times,
    sack=st.just(()),
    user_timeout_s=st.none() | timeouts,
)
others = st.tuples(st.none() | times, st.lists(times, max_size=3).map(tuple)).map(
    lambda drawn: TcpOptions(timestamps=drawn[0], sack=drawn[1])
)

SYN = TcpOptions(1460, 7, True, (1, 0))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        # What Linux sends in a SYN: all of it, without timestamps, without anything but MSS.
        (
            "020405b4 0402080a 00000001 00000000 01030307",
            SYN,
            "mss 1460, sackOK, TS val 1 ecr 0, wscale 7",
        ),
        ("020405b4 01010402 01030307", SYN._replace(timestamps=None), "mss 1460, sackOK, wscale 7"),
        ("020405b4", TcpOptions(1460), "mss 1460"),
        ("0101080a 00000001 00000002", TcpOptions(timestamps=(1, 2)), "TS val 1 ecr 2"),
        (
            "0101080a 00000001 00000002 01010512 0000000a 00000014 0000001e 00000028",
            TcpOptions(timestamps=(1, 2), sack=((10, 20), (30, 40))),
            "TS val 1 ecr 2, sack 10:20 30:40",
        ),
        ("1c04003c", TcpOptions(user_timeout_s=60), "uto 60 s"),
        ("1c048223", TcpOptions(user_timeout_s=547 * 60), "uto 32820 s"),
        ("", NO_OPTIONS, ""),
    ],
)
def test_literals(text: str, options: TcpOptions, words: str) -> None:
    raw = bytes.fromhex(text)
    assert options.to_bytes() == raw
    assert parse(raw, syn=True) == options
    assert tcp_options.text(raw) == words


@given(syns | others)
def test_round_trip(options: TcpOptions) -> None:
    raw = options.to_bytes()
    assert len(raw) % 4 == 0
    assert parse(raw, syn=True) == options


@given(others)
def test_round_trip_without_syn(options: TcpOptions) -> None:
    assert parse(options.to_bytes(), syn=False) == options


@given(syns)
def test_what_belongs_in_a_syn_is_ignored_elsewhere(options: TcpOptions) -> None:
    found = parse(options.to_bytes(), syn=False)
    assert found == NO_OPTIONS._replace(
        timestamps=options.timestamps, user_timeout_s=options.user_timeout_s
    )


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("1e04abcd 020405b4", TcpOptions(1460)),
        ("fd02 fe03ff 020405b4", TcpOptions(1460)),
        ("0205000000 01 0402", TcpOptions(sack_permitted=True)),
        ("0302 0402", TcpOptions(sack_permitted=True)),
        ("0502 0402", TcpOptions(sack_permitted=True)),
        ("0509" + 14 * "0" + "0402", TcpOptions(sack_permitted=True)),
        ("02040000 0402", TcpOptions(sack_permitted=True)),
        ("0303ff", TcpOptions(window_scale=14)),
        ("020405b4 02040218", TcpOptions(0x218)),
        ("00 020405b4", NO_OPTIONS),
        ("020405b4 0401 03030707", TcpOptions(1460)),
        ("020405b4 0400", TcpOptions(1460)),
        ("020405b4 04", TcpOptions(1460)),
        ("020405b4 080a0000", TcpOptions(1460)),
        ("0204 05", NO_OPTIONS),
    ],
    ids=[
        "unknown", "unknown ones", "mss of 5 B", "scale of 2 B", "sack of 2 B", "sack of 9 B",
        "mss 0", "scale 255", "mss twice", "end", "length 1", "length 0", "no length", "too long",
        "cut",
    ],
)  # fmt: skip
def test_what_is_skipped_and_what_ends_the_list(text: str, options: TcpOptions) -> None:
    assert parse(bytes.fromhex(text), syn=True) == options


def test_times_and_edges_are_cut_to_32_bits() -> None:
    far = TcpOptions(timestamps=((1 << 32) + 1, -1), sack=(((1 << 33) + 5, (1 << 33) + 6),))
    assert parse(far.to_bytes(), syn=False) == TcpOptions(
        timestamps=(1, 0xFFFFFFFF), sack=((5, 6),)
    )


def test_a_long_user_timeout_is_sent_in_minutes_and_not_shortened() -> None:
    found = [
        parse(TcpOptions(user_timeout_s=seconds).to_bytes(), syn=False).user_timeout_s
        for seconds in (32767, 32768, 32820, 10**9)
    ]
    assert found == [32767, 32820, 32820, 32767 * 60]


def test_more_than_fits_is_the_callers_mistake() -> None:
    blocks = ((1, 2),) * 4
    assert len(TcpOptions(sack=blocks).to_bytes()) == 36
    with pytest.raises(ValueError, match="48 bytes of TCP options"):
        TcpOptions(timestamps=(1, 2), sack=blocks).to_bytes()


def test_odd_options_have_words() -> None:
    raw = bytes.fromhex("0205000000 1e04abcd 0502")
    assert tcp_options.text(raw) == "option 2 of 5 B, option 30 of 4 B, option 5 of 2 B"


@given(st.binary(max_size=44), st.booleans())
def test_no_bytes_raise(raw: bytes, syn: bool) -> None:
    found = parse(raw, syn=syn)
    tcp_options.text(raw)
    assert found.mss is None or found.mss > 0
    assert found.window_scale is None or found.window_scale <= 14


@given(
    st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 1 << 33), st.integers(0, 1 << 33),
    st.integers(0, 19), st.integers(0, 255),
)  # fmt: skip
def test_options_of_most_syns_are_read_and_written_as_any_others(
    mss: int, scale: int, value: int, echo: int, at: int, other: int
) -> None:
    usual = tcp_options.usual_syn(mss, scale, value, echo)
    assert usual == TcpOptions(mss, scale, True, (value, echo)).to_bytes()
    for raw in (usual, usual[:at] + bytes([other]) + usual[at + 1 :]):
        # Behind what does nothing it has another length, and is looked through one by one.
        assert parse(raw, syn=True) == parse(b"\1\1\1\1" + raw, syn=True)
