# A stream is stopped and started a hundred times, starved, drained, and tells of its position more often than ids last.
RATES='48000;96000'
start_driver_domain
start_guest 1

check started_a_hundred_times_and_never_backwards guest_run 1 60 'sh /rig/starve'
check goes_on_after_a_second_of_silence guest_run 1 20 'sh /rig/doze'
check plays_after_that guest_run 1 10 'aplay -q -D hw:0,0 /rig/first.wav'

# It runs dry and stays so: where the guest's pointer and the link stood then.
note() { stream_note 1 | grep -o 'frames=[0-9]*' | cut -d= -f2; }
is_open() { stream_note 1 | grep -q status=open; }
wait_for 5 note
sleep 2
frames_before=$(note)
guest_begin 1 'sh /rig/run-dry'
sleep 3
agree() {
    wait_for 5 is_open
    frames_after=$(note)
    guest_end 1 10 >/dev/null
    pointer=$(guest_said 1 | grep hw_ptr | tr -dc '0-9')
    linked=$((frames_after - frames_before))
    echo "the guest's pointer $pointer, the link $linked frames"
    [ "$pointer" -gt 4800 ] && [ "$linked" -ge "$pointer" ] && [ "$((linked - pointer))" -le 480 ]
}
check pointer_and_link_agree agree

# Ids of events are 16 bits wide, and count on from stream to stream. The emulator's position moves some 950 times a second
# at this rate, whatever the period.
check plays_more_periods_than_there_are_ids guest_run 1 120 \
    'aplay -q -D hw:0,0 -t raw -f S16_LE -c 2 -r 96000 -d 78 --period-size=64 --buffer-size=16384 /dev/zero'
# An event wakes the guest at most once. Its channels, by number: the ring's and the events', of each stream, xenstore's and
# the console's aside. (Their names can't be told by: the front end has freed them.)
ids() {
    guest_run 1 5 "cat /proc/interrupts; awk '/xen-dyn/ && !/xenbus|hvc/ && ++row == 2 { print \$2 }' /proc/interrupts" >/tmp/ids
    echo "$(cat /tmp/ids) events"
    [ "$(cat /tmp/ids)" -gt 65536 ]
}
check event_ids_have_wrapped ids
check plays_after_the_wrap guest_run 1 10 'aplay -q -D hw:0,0 /rig/second.wav'
# Drained to its last frame, again and again.
check drains guest_run 1 30 'aplay -q -D hw:0,0 /rig/short.wav /rig/short.wav /rig/short.wav /rig/short.wav /rig/third.wav'
check the_guest_has_no_complaint no_complaint 1
