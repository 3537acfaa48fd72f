"""Whether a scheduler is at an address, asked before Dask is, which would say only that it waited in vain."""

from __future__ import annotations

import socket
import ssl

from layerforge.build.cluster.addresses import Remote
from layerforge.build.errors import ClusterError

SECONDS = 10.0
"""How long a scheduler may take to let somebody in."""

_REACH = 5.0
"""Seconds for which a connection is tried."""

_GREETING = 4.0
"""Seconds for which a scheduler's first word is waited for."""

_OTHERS = "ask who runs the cluster for ca.pem and a pair that it signed, or make all of them anew"


def knock(found: Remote, context: ssl.SSLContext | None) -> None:
    """Returns where something that speaks as a scheduler does is at an address. Raises ``ClusterError``."""
    plain = _connect(found)
    try:
        with plain if context is None else _secured(found, plain, context) as line:
            line.settimeout(_GREETING)
            # A scheduler greets first; one that wants a certificate says so here.
            if line.recv(1):
                return
    except TimeoutError as error:
        raise _silent(found) from error
    except ssl.SSLError as error:
        raise _refused(found, error) from error
    except OSError as error:
        raise _closed(found) from error
    raise _closed(found)


def _connect(found: Remote) -> socket.socket:
    try:
        return socket.create_connection((found.host, found.port), timeout=_REACH)
    except socket.gaierror as error:
        raise ClusterError(
            f"{found.host} names no machine that is known here", hint="is the address of the scheduler right?"
        ) from error
    except TimeoutError as error:
        raise ClusterError(
            f"no scheduler answers at {found.url}",
            hint="does that machine run, and does a firewall let its port through?",
            details=(f"waited {_REACH:.0f} s",),
        ) from error
    except OSError as error:
        raise ClusterError(
            f"no scheduler is at {found.url}: {error.strerror or error}",
            hint=f"start it there: dask scheduler --port {found.port}",
        ) from error


def _secured(found: Remote, plain: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(plain, server_hostname=found.host)
    except BaseException:
        plain.close()
        raise


def _refused(found: Remote, error: ssl.SSLError) -> ClusterError:
    said = str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        message, hint = f"the scheduler at {found.url} has a certificate that ours does not vouch for", _OTHERS
    elif "alert" in (error.reason or "").lower():
        message, hint = f"the scheduler at {found.url} refuses our certificate", _OTHERS
    else:
        message = f"what is at {found.url} does not speak TLS"
        hint = "a scheduler that was started without certificates is at tcp://, and used on its own machine alone"
    return ClusterError(message, hint=hint, details=(said,))


def _closed(found: Remote) -> ClusterError:
    message = f"what is at {found.url} hangs up"
    if found.encrypted:
        return ClusterError(message, hint=_OTHERS)
    return ClusterError(message, hint="if the scheduler was started with certificates, its address begins with tls://")


def _silent(found: Remote) -> ClusterError:
    return ClusterError(
        f"what is at {found.url} says nothing, so it is no scheduler or one that hangs",
        hint="is the port that of the scheduler, not of its dashboard?" + _tls_hint(found),
    )


def _tls_hint(found: Remote) -> str:
    return "" if found.encrypted else " If it was started with certificates, its address begins with tls://."
