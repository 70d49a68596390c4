# The echo test in rooms of several delays, by a program's control page; then by the kernel's driver and ALSA's pointers.
# Restarts are counted: the harness changes the room with them.
start_driver_domain
start_guest 1 may-record user-driver

# The harness's own 1024 frames, 21.333 ms, come on top of a room's delay.
# echo_check SECONDS NAME OPTIONS [N]: the report goes to NAME.json.
echo_check() { guest_run "${4:-1}" "$1" "audiofront echo-check --mls-order 14 --json $3 >/out/$2.json"; }
check a_room_of_0_ms echo_check 120 room-0 '--restarts 5 --room-delay-ms 21.333'
check a_room_of_5_ms_50_times echo_check 300 room-5 '--restarts 50 --room-delay-ms 26.333'
check a_room_of_50_ms echo_check 120 room-50 '--restarts 5 --room-delay-ms 71.333'
check a_room_of_200_ms echo_check 120 room-200 '--restarts 5 --room-delay-ms 221.333'
check guests_have_no_complaint no_complaint 1
hand_out 1
stop_guest 1

# The kernel's driver, with the same output and input. It's there to be compared with: whether it's good enough is no
# question here.
start_guest 2 may-record no-card
attach_card 2 1
by_alsa() {
    guest_run 2 20 'until [ -e /dev/snd/pcmC0D0c ]; do sleep 0.1; done' && echo_check 120 alsa-5 '--restarts 10 --alsa hw:0,0' 2
    [ $? -le 1 ]
}
check the_same_by_alsa_pointers by_alsa
check the_drivers_guest_has_no_complaint no_complaint 2
hand_out 2
stop_guest 2
check no_zombies only_domains Domain-0 snddom
check the_iommu_refused_nothing no_faults
