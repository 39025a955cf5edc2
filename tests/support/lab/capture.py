"""Takes real datagrams off the cable, so that tests can send them again with changes."""

import contextlib
import socket
import struct

ETH_P_IP = 0x0800
UDP = 17


@contextlib.contextmanager
def udp_payloads(namespace, device, port):
    """Within the block, gathers the payloads of IPv4 datagrams to `port` that come in by `device`; the list is full after it."""
    with namespace, socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP)) as packets:
        packets.bind((device, ETH_P_IP))
        packets.setblocking(False)
        payloads = []
        yield payloads
        while True:
            try:
                packet = packets.recv(65535)
            except BlockingIOError:
                return
            header_size = (packet[0] & 15) * 4
            if packet[9] != UDP:
                continue
            _, destination, length = struct.unpack_from("!HHH", packet, header_size)
            if destination == port:
                payloads.append(packet[header_size + 8 : header_size + length])
