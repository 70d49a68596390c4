# Three guests on one output that is shared. Each is heard as it is, with what the others play.
card() { playback_card 0; }

GUEST_MIB=128
start_driver_domain
xenstore-write "$policy/port/output-0/mode" shared
start_guest 1
start_guest 2
start_guest 3

check one_plays_alone guest_run 1 10 'aplay -q -D hw:0,0 /rig/alone.wav'

both_play() {
    guest_begin 1 'aplay -q -D hw:0,0 /rig/first.wav' && guest_begin 2 'aplay -q -D hw:0,0 /rig/second.wav'
    guest_end 1 10 && guest_end 2 10
}
check two_play_at_once both_play

# A guest is destroyed while another one plays.
check the_third_plays_a_long_one play_on 3
destroyed() {
    guest_begin 1 'aplay -q -D hw:0,0 /rig/beside.wav'
    wait_for 5 is_running 1
    sleep 0.3
    xl destroy guest3 && guest_end 1 10
}
before=$(releases 3)
check another_plays_while_it_is_destroyed destroyed
check pages_are_free_after_destroy released_after 3 "$before"

# What both programs saw of underruns.
check no_underruns no_complaint 1 2
check no_zombies only_domains Domain-0 snddom guest1 guest2
check the_iommu_refused_nothing no_faults
