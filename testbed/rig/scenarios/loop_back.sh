# The card's input hears its output, as by a cable.
start_driver_domain
start_guest 1 may-record

check alsabat_passes guest_run 1 60 'alsabat -D hw:0,0 -f S16_LE -c 2 -r 48000 -n 2s'
check guests_have_no_complaint no_complaint 1
stop_guest 1

# The same by ALSA's plug-in, for a program that plays and records by one connection.
start_guest 1 may-record user-driver
check alsabat_passes_by_the_plug_in guest_run 1 60 'alsabat -D snddom -f S16_LE -c 2 -r 48000 -n 2s'
stop_guest 1
check no_zombies only_domains Domain-0 snddom
