# What the driver domain costs while programs are the front ends, with a control page each and no period events: one, two
# and four guests with a stream each. And what a position costs a guest, and how old it is.
GUEST_MIB=128
guests=0
start_driver_domain

# play SECONDS: a program in each guest runs a stream in silence, and looks at its position once a second.
play() {
    for guest in $(seq "$guests"); do
        guest_begin "$guest" "audiofront position --playback-only --count $1 --interval-ms 1000 --json >/tmp/positions"
        wait_for 10 is_running "$guest" || fail "guest$guest does not play: $(guest_said "$guest")"
    done
}

for wanted in 1 2 4; do
    while [ "$guests" -lt "$wanted" ]; do
        guests=$((guests + 1))
        start_guest "$guests" user-driver
    done
    play 12
    sleep 1
    measure "page:$guests" 4
    for guest in $(seq "$guests"); do guest_end "$guest" 30 || fail "guest$guest: the program fails: $(guest_said "$guest")"; done
done
figures domains "guest1=$(cat /run/guest1.domid) snddom=$snddom"

# At moments that have nothing to do with the driver domain's own 10 ms.
guest_run 1 30 "audiofront position --playback-only --count $LOOKS --interval-ms 13 --json >/out/positions.jsonl" ||
    fail "positions: $(guest_said 1)"
guest_run 1 30 'audiofront read-cost --reads 100000 --json >/out/read-cost.json' || fail "read-cost: $(guest_said 1)"
hand_out 1 || fail "guest1 can't hand out its files"
