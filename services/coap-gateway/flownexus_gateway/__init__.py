"""The coap-gateway: LwM2M over CoAP on one side, events on NATS on the other. It keeps no application logic."""
