//! A way to the server that loses what a test says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::event_log::tests::remote::conformance::Loss;

#[derive(Default)]
struct Plan {
    is_down: bool,
    loss: Option<Loss>,
    cut_read: bool,
    connections: Vec<TcpStream>,
}

pub(super) struct Proxy {
    port: u16,
    plan: Arc<Mutex<Plan>>,
}

impl Proxy {
    pub(super) fn to(server: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::<Mutex<Plan>>::default();
        let planned = Arc::clone(&plan);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                if planned.lock().unwrap().is_down {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                for end in [&client, &server] {
                    let _ = end.set_nodelay(true);
                    let connections = &mut planned.lock().unwrap().connections;
                    connections.push(end.try_clone().unwrap());
                }
                serve(client, server, &planned);
            }
        });
        Proxy { port, plan }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.plan.lock().unwrap().is_down = is_down;
        self.drop_connections();
    }

    pub(super) fn drop_connections(&self) {
        for end in self.plan.lock().unwrap().connections.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn lose_commit(&self, loss: Loss) {
        self.plan.lock().unwrap().loss = Some(loss);
    }

    pub(super) fn cut_read(&self) {
        self.plan.lock().unwrap().cut_read = true;
    }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

fn serve(client: TcpStream, server: TcpStream, plan: &Arc<Mutex<Plan>>) {
    let ends = || (client.try_clone().unwrap(), server.try_clone().unwrap());
    // The next answer of the server is lost.
    let is_cut = Arc::new(Mutex::new(false));
    let ((mut from, mut to), plan, cut) = (ends(), Arc::clone(plan), Arc::clone(&is_cut));
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            let mut plan = plan.lock().unwrap();
            let loss = if holds(bytes, b"COMMIT\0") {
                plan.loss.take()
            } else {
                None
            };
            let is_read = holds(bytes, b"COPY (SELECT line") && std::mem::take(&mut plan.cut_read);
            drop(plan);
            *cut.lock().unwrap() |= loss == Some(Loss::Answer) || is_read;
            if loss == Some(Loss::Request) || to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut to, mut from) = ends();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if *is_cut.lock().unwrap() || to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
