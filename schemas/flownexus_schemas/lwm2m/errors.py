"""What the LwM2M package raises. Each says what was wrong in one sentence that can be sent to a peer."""


class Lwm2mError(ValueError):
    """Root of all errors of this package: the input was not valid LwM2M."""


class InvalidPath(Lwm2mError):
    """Not a path of one to four ids of 0 to 65535. LwM2M Core 1.1.1, 7.2."""


class InvalidLink(Lwm2mError):
    """Not a list of CoRE links. RFC 6690, 2."""


class InvalidRegistration(Lwm2mError):
    """A Register or Update that cannot be taken. LwM2M Core 1.1.1, 6.2."""


class UnsupportedVersion(InvalidRegistration):
    """An LwM2M version that this server does not speak: 4.12. LwM2M Core 1.1.1, 6.2.1."""


class InvalidObjectModel(Lwm2mError):
    """Not an object definition in OMA DDF XML. LwM2M Core 1.1.1, appendix D."""


class InvalidAttributes(Lwm2mError):
    """Notification attributes that no device takes, or not there. LwM2M Core 1.1.1, 5.1.2."""


class InvalidArguments(Lwm2mError):
    """Not arguments of an Execute. LwM2M Core 1.1.1, 6.3.5."""


class CodecError(Lwm2mError):
    """A payload that cannot be decoded, or values that cannot be encoded, in the content format named."""


class UnsupportedContentFormat(CodecError):
    """No codec for this Content-Format number."""
