# What the driver domain costs while Linux guests play on one shared output, a stream each with periods of 10 ms. First one
# guest on a direct output, to compare with.
card() { playback_card 0; }

GUEST_MIB=128
guests=0
start_driver_domain
start_guests() {
    while [ "$guests" -lt "$1" ]; do
        guests=$((guests + 1))
        start_guest "$guests"
    done
}

# play COUNT: an aplay in each guest plays silence, which is mixed as all else is.
play() {
    for guest in $(seq "$1"); do
        guest_run "$guest" 20 "aplay -q -D hw:0,0 -t raw -f S16_LE -c 2 -r 48000 --period-size=480 --buffer-size=4800 /dev/zero 2>/tmp/heard-of & echo \$! >/tmp/pid" ||
            fail "aplay can't be started in guest$guest: $(guest_said "$guest")"
        wait_for 10 is_running "$guest" || fail "guest$guest does not play: $(guest_run "$guest" 5 'cat /tmp/heard-of')"
        guest_run "$guest" 5 "grep -q '^period_size: 480\$' /proc/asound/card0/pcm0p/sub0/hw_params" ||
            fail "guest$guest: not a period of 480 frames"
    done
}

# note_of N NAME: a number of what the driver domain tells of guest N's stream.
note_of() { stream_note "$1" | tr ' ' '\n' | sed -n "s/^$2=//p"; }

# stop_playing COUNT: what aplay said of underruns, and what the driver domain counted until then, of all guests.
stop_playing() {
    underruns=0 ran_dry=0 fifo_errors=0
    for guest in $(seq "$1"); do
        ran_dry=$((ran_dry + $(note_of "$guest" ran_dry)))
        fifo_errors=$((fifo_errors + $(note_of "$guest" fifo_errors)))
        guest_run "$guest" 20 'kill $(cat /tmp/pid); sleep 1; grep -c underrun /tmp/heard-of || true' >/tmp/said
        underruns=$((underruns + $(tail -n 1 /tmp/said)))
    done
}

# measure_guests NAME COUNT: so many play for a while, and are measured.
measure_guests() {
    play "$2"
    # Until the mixer knows how late its turns come.
    sleep "$SETTLE_S"
    measure "$1" "$SECONDS_EACH"
    stop_playing "$2"
    figures "dry:$1" "underruns=$underruns ran_dry=$ran_dry fifo_errors=$fifo_errors"
}

start_guests 1
measure_guests direct 1
xenstore-write "$policy/port/output-0/mode" shared
for count in $COUNTS; do
    start_guests "$count"
    measure_guests "shared:$count" "$count"
done
figures domains "guest1=$(cat /run/guest1.domid) snddom=$snddom"
