# A program is the front end, in a guest whose kernel leaves the card alone. Beside it a guest with the kernel's driver.
start_driver_domain
start_guest 1 may-record user-driver
start_guest 2

check a_program_plays guest_run 1 10 'audiofront play /rig/voice.wav'
check a_program_records guest_run 1 10 'audiofront record --seconds 1 /out/ramp.wav'
check positions_are_shown \
    guest_run 1 10 'audiofront position --count 40 --interval-ms 25 --json >/out/positions.jsonl && wc -l /out/positions.jsonl'
check a_million_positions_take_no_system_call guest_run 1 20 'audiofront read-cost'

# The codec's amplifiers have steps of 1 dB. What they are set to goes through the guest's own pages, and so does the answer.
loudness() {
    guest_run 1 10 'audiofront play --volume -12.4 --mute /rig/noise-6.wav' &&
        guest_said 1 | grep 'the nearest volume is -12.00 dB'
}
check a_program_sets_volume_and_mute loudness

# The streams of a program that is killed don't play on, and the next program finds the card as new.
killed() {
    guest_run 1 5 'audiofront play /rig/long.wav & echo $! >/tmp/pid' && wait_for 5 is_running 1 &&
        guest_run 1 5 'kill -9 $(cat /tmp/pid)' && wait_for 5 is_closed 1 && echo "closed"
}
check a_program_is_killed killed
check the_next_plays guest_run 1 10 'audiofront play /rig/noise-2.wav'
terminated() {
    guest_run 1 5 'audiofront play /rig/long.wav & sleep 0.5; kill $!; wait $!'
    status=$?
    echo "exit status $status"
    [ "$status" = 143 ] && is_closed 1
}
check a_signal_closes_the_card terminated
# Without the guard, the second process, the stream plays on, until the next program closes what it finds.
left_running() {
    guest_run 1 5 'audiofront play --no-guard /rig/long.wav & echo $! >/tmp/pid' && wait_for 5 is_running 1 &&
        guest_run 1 5 'kill -9 $(cat /tmp/pid)' && sleep 0.5 && is_running 1 && echo "it plays on"
}
check a_program_without_a_guard_is_killed left_running
check the_next_closes_that_and_plays guest_run 1 10 'audiofront play /rig/noise-3.wav'

# The control page is the guest's own memory: what it writes there is its own loss.
scribbles() {
    guest_begin 2 'aplay -q -D hw:0,0 /rig/noise-5.wav'
    guest_run 1 10 'audiofront play --scribble /rig/noise-4.wav' && guest_end 2 10
}
check one_scribbles_on_its_control_page_while_another_plays scribbles

the_driver_has_it() {
    guest_run 2 10 'audiofront play /rig/voice.wav'
    status=$?
    guest_said 2 | grep snd_xen_front && [ "$status" = 4 ]
}
check a_card_that_the_kernel_has_is_refused the_driver_has_it
not_allowed() {
    guest_run 3 10 'audiofront record --seconds 1 /tmp/secret.wav'
    status=$?
    guest_said 3 | grep may-record && [ "$status" = 5 ]
}
start_guest 3 user-driver
check recording_is_refused_to_whom_it_is_not_allowed not_allowed
check guests_have_no_complaint no_complaint 1 2 3

hand_out 1
stop_guest 1
stop_guest 2
stop_guest 3
check no_zombies only_domains Domain-0 snddom
check the_iommu_refused_nothing no_faults
