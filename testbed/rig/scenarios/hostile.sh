# A guest that does to the driver domain what a guest can do, beside a good one that plays all the time. Both are on the same
# output and input; the hostile one has another output and input for itself, without a mixer between.
LOG_LEVEL=info

hostile_card() {
    echo "'card, backend=snddom, buffer-size=65536, sample-rates=48000, sample-formats=s8;s16_le;s32_le', 'pcm, name=dev1'," \
        "'stream, unique-id=$1, type=P', 'stream, unique-id=$2, type=P', 'stream, unique-id=$3, type=C'"
}
card() {
    if [ "$1" = 1 ]; then shared_card 0; return; fi
    echo "$(hostile_card output-0 output-1 input-0)], [$(hostile_card output-1 output-0 input-1)]," \
        "[$(hostile_card output-0 output-1 input-1)"
}

start_driver_domain
share 0
xenstore-write "$policy/port/output-1/mode" direct "$policy/port/input-1/mode" direct
start_guest 1 may-record
start_guest 2 may-record user-driver

exact="! grep -iE 'underrun|overrun|error' /tmp/said /tmp/recorder"
recorder='{ sleep 10; arecord -D hw:0,0 -f S16_LE -c 2 -r 48000 -d 5 /out/ramp.wav 2>/tmp/recorder; } &'
guest_begin 1 "$recorder aplay -D hw:0,0 /rig/good.wav && $exact"
check the_good_one_plays wait_for 5 is_running 1

guest_begin 2 "sh /rig/villains $HOSTILE_SECONDS 1"
misbehaves() {
    guest_end 2 "$((HOSTILE_SECONDS + 60))" >/dev/null
    status=$?
    guest_said 2 | tail -n 3 | tee /tmp/villains
    return "$status"
}
check the_hostile_one_misbehaves_for_its_time misbehaves
stage "$(tr '\n' ';' </tmp/villains)"
# Otherwise it was no test.
did_it_all() {
    for deed in opened not_opened started rubbish events revoked_in_use revoked_in_flight refused connected broken died \
        killed nodes_written nodes_removed; do
        grep -qw "$deed=[1-9][0-9]*" /tmp/villains || { echo "nothing $deed"; return 1; }
    done
}
check it_did_all_its_deeds did_it_all
check nothing_opens_by_bad_grants eval '! grep opened_by_bad_grants /tmp/villains'
check it_plays_once_it_behaves guest_run 2 20 'audiofront play --stream output-1 /rig/behaves.wav'

# The domain dies in mid-stream, and comes again: destroyed, then by a panic. What a villain's stream does is a matter of luck,
# so the one that dies plays as it should, and the villains misbehave beside it.
is_running_directly() { is_running 2 0 1; }
plays_directly() {
    guest_run 2 5 'audiofront play --stream output-1 /rig/good.wav >/dev/null 2>&1 &' && wait_for 20 is_running_directly
}
check it_plays_directly plays_directly
guest_run 2 5 'villain 1 60 11 flood >/dev/null 2>&1 &'
sleep 1
check it_plays_beside_a_flood is_running_directly
check it_is_destroyed_in_mid_stream xl_log guest2 destroy guest2
start_guest 2 may-record user-driver
check it_plays_directly_again plays_directly
guest_run 2 5 'for card in 1 2; do villain $card 60 2$card open revoke scribble die >/dev/null 2>&1 & done'
sleep 1
check it_plays_beside_villains is_running_directly
guest_begin 2 'echo c >/proc/sysrq-trigger'
check it_panics_in_mid_stream wait_for 10 is_crashed guest2
check it_is_destroyed_again xl_log guest2 destroy guest2

check the_good_one_still_plays is_running 1
# Tells a late turn of the mixer from a late announcement of the guest's.
stage "$(xenstore-read "$policy/state/port/output-0/use")"
check the_good_one_has_no_underrun guest_end 1 "$((HOSTILE_SECONDS + 60))"
no_fifo_error() {
    fifo_note=$(stream_note 1)
    echo "$fifo_note"
    case "$fifo_note" in *fifo_errors=0*) ;; *) false ;; esac
}
check the_good_one_has_no_fifo_error no_fifo_error
# Sources of lines have a bound each; nobody asked for more.
log_is_short() {
    log_lines=$(wc -l </log/console/guest-snddom.log)
    echo "$log_lines lines"
    [ "$log_lines" -lt 1000 ]
}
check the_log_stays_short log_is_short
check the_good_one_has_no_complaint no_complaint 1
hand_out 1
# A domain whose pages are still mapped somewhere stays, and is dying.
none_dies() { only_domains Domain-0 snddom guest1 && ! xl list | awk 'NR > 1 && $5 ~ /d/' | grep .; }
check no_zombies none_dies
check the_iommu_refused_nothing no_faults
