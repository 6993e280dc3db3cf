"""CoAP over UDP: datagrams, the socket, the interface to aiocoap."""
