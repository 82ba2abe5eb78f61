//! The loop that lets connections in: so many at a time, and none that takes its time with a handshake or a request.

use std::future::{Future, ready};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// A client has this long for the handshake of TLS, for the head of a request, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nobody is let in after that failed, for want of files most likely.
const REST: Duration = Duration::from_millis(100);

/// What a connection is read from and written to.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Where connections come from.
pub(super) trait Listener {
    /// Connections let in at a time; others wait in the backlog.
    const MOST: usize;

    /// A connection as the system hands it over.
    type Raw: Send + 'static;

    /// The next connection.
    fn next(&self) -> impl Future<Output = io::Result<Self::Raw>> + Send;

    /// Makes it ready for requests.
    fn open(&self, raw: Self::Raw) -> impl Future<Output = io::Result<Box<dyn Stream>>> + Send + 'static;
}

/// A TCP listener, with TLS or without.
pub(super) struct Tcp {
    /// The listener.
    pub(super) listener: TcpListener,
    /// Encrypts, if connections are to be encrypted.
    pub(super) tls: Option<TlsAcceptor>,
}

impl Listener for Tcp {
    /// People, Prometheus and some hundred reporters, which send a batch and are gone.
    const MOST: usize = 512;

    type Raw = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        Ok(self.listener.accept().await?.0)
    }

    fn open(&self, raw: TcpStream) -> impl Future<Output = io::Result<Box<dyn Stream>>> + Send + 'static {
        let tls = self.tls.clone();
        async move {
            Ok(match tls {
                Some(tls) => Box::new(tls.accept(raw).await?) as Box<dyn Stream>,
                None => Box::new(raw),
            })
        }
    }
}

impl Listener for UnixListener {
    /// Commands of people are few.
    const MOST: usize = 64;

    type Raw = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }

    fn open(&self, raw: UnixStream) -> impl Future<Output = io::Result<Box<dyn Stream>>> + Send + 'static {
        ready(Ok(Box::new(raw) as Box<dyn Stream>))
    }
}

/// Answers what comes over `listener` by the routes made for each connection, until `stop` comes; requests under way are
/// answered then.
pub(super) async fn serve<L: Listener>(
    listener: L,
    routes: impl Fn(&L::Raw) -> Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let slots = Arc::new(Semaphore::new(L::MOST));
    let connections = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>((slot, listener.next().await?))
        };
        let (slot, raw) = tokio::select! {
            accepted = accepted => match accepted {
                Ok(accepted) => accepted,
                Err(_) => {
                    tokio::time::sleep(REST).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(routes(&raw));
        let (opening, watcher) = (listener.open(raw), connections.watcher());
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEADER_TIMEOUT, opening).await {
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                // A client that breaks off is no news.
                let _ = watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await;
            }
            drop(slot);
        });
    }
    connections.shutdown().await;
    Ok(())
}
