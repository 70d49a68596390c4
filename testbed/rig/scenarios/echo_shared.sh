# The echo test on a shared output, while another guest plays to it: with a monitor's recording as reference, and with the
# guest's own signal alone.
card() {
    echo "'card, backend=snddom, buffer-size=65536, short-name=VCard, long-name=Virtual sound card," \
        "sample-rates=48000, sample-formats=s16_le', 'pcm, name=dev1'," \
        "'stream, unique-id=output-0, type=P', 'stream, unique-id=input-0, type=C'"
    if [ "$1" = 1 ]; then echo ", 'stream, unique-id=monitor-0, type=C'"; fi
}

start_driver_domain
xenstore-write "$policy/port/output-0/mode" shared "$policy/port/input-0/mode" shared
start_guest 1 may-record user-driver
start_guest 2 may-record

# refused SECONDS WHY OPTIONS: the test can't be carried out, and says why.
refused() {
    guest_run 1 "$1" "audiofront echo-check --restarts 1 $3 >/tmp/said 2>&1; [ \$? = 2 ] && grep -m 1 '$2' /tmp/said"
}
check without_the_right_it_says_so refused 60 'may-hear' '--monitor'
check without_a_monitor_it_says_so refused 20 'has no monitor' '--monitor=monitor-7'

# The other guest keeps both ports running: a harness's room moves when its input starts anew.
raw='-q -D hw:0,0 -f S16_LE -c 2 -r 48000 -t raw'
loud() {
    guest_run 2 10 "arecord $raw >/dev/null 2>/tmp/input &" && wait_for 10 is_running 2 0 1 || return 1
    guest_run 2 10 "while cat /rig/loud.raw || cat /files/loud.raw; do :; done 2>/dev/null | aplay $raw >/tmp/output 2>&1 &"
    wait_for 10 is_running 2
}
check another_guest_is_loud loud

# echo_check SECONDS NAME OPTIONS: the report goes to NAME.json.
echo_check() { guest_run 1 "$1" "audiofront echo-check --mls-order 14 --json $3 >/out/$2.json"; }
xenstore-write "$policy/guest/$(cat /run/guest1.domid)/may-hear" monitor-0
check by_the_monitor echo_check 300 monitor '--restarts 10 --monitor'
# Most of the time goes into the canceller.
check by_the_own_signal echo_check 300 own '--restarts 5'
still_loud() { is_running 2 && is_running 2 0 1; }
check the_other_is_loud_all_the_time still_loud
check guests_have_no_complaint no_complaint 1 2
hand_out 1
check the_iommu_refused_nothing no_faults
