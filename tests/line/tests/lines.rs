//! Real sockets over emulated lines, measured with wide margins.
#![expect(clippy::unwrap_used, reason = "helpers of tests panic as the tests do")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use gc_line::{Conditions, Direction, Line, Side};

const MS: Duration = Duration::from_millis(1);

fn datagrams(side: &Side) -> UdpSocket {
    let socket = side.run(|| UdpSocket::bind((side.address(), 0))).unwrap().unwrap();
    socket.set_read_timeout(Some(MS * 400)).unwrap();
    socket
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

/// How many datagrams come until none comes for a while.
fn received(socket: &UdpSocket) -> usize {
    std::iter::from_fn(|| socket.recv(&mut [0; 2000]).ok()).count()
}

/// A connection from side A to side B.
fn connected(line: &Line) -> (TcpStream, TcpStream) {
    let listener = line.b().run(|| TcpListener::bind((line.b().address(), 0))).unwrap().unwrap();
    let at = listener.local_addr().unwrap();
    let here = line.a().run(|| TcpStream::connect(at)).unwrap().unwrap();
    (here, listener.accept().unwrap().0)
}

/// How long this many bytes take from one end to the other.
fn transfer(mut from: &TcpStream, mut to: &TcpStream, length: usize) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(move || from.write_all(&vec![7; length]).unwrap());
        let mut bytes = vec![0; length];
        to.read_exact(&mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 7));
    });
    begun.elapsed()
}

#[test]
fn delay_goes_both_ways() {
    let line = Line::open(
        Conditions { delay: MS * 60, ..Conditions::default() },
        Conditions { delay: MS * 20, ..Conditions::default() },
    )
    .unwrap();
    let (a, b) = (datagrams(line.a()), datagrams(line.b()));
    let begun = Instant::now();
    a.send_to(b"there", address(&b)).unwrap();
    let (_, from) = b.recv_from(&mut [0; 16]).unwrap();
    let there = begun.elapsed();
    b.send_to(b"back", from).unwrap();
    a.recv(&mut [0; 16]).unwrap();
    let back = begun.elapsed() - there;
    assert!((MS * 60..MS * 200).contains(&there), "there in {there:?}");
    assert!((MS * 20..MS * 160).contains(&back), "back in {back:?}");
}

#[test]
fn rate_is_each_directions_own() {
    let line = Line::open(Conditions::new(2000, MS), Conditions::default()).unwrap();
    let (a, b) = connected(&line);
    // 300 KB at 250 KB in a second.
    let slow = transfer(&a, &b, 300_000);
    let quick = transfer(&b, &a, 300_000);
    assert!((MS * 1100..MS * 4000).contains(&slow), "at 2 Mbit/s in {slow:?}");
    assert!(quick < MS * 900, "without a limit in {quick:?}");
    let counters = line.counters(Direction::AToB);
    assert!(counters.bytes > 300_000 && counters.most_waiting <= Conditions::new(2000, MS).buffer, "{counters:?}");
}

#[test]
fn loss_takes_datagrams_and_delays_streams() {
    let line = Line::open(Conditions::default().losing(300), Conditions::default()).unwrap();
    let (a, b) = (datagrams(line.a()), datagrams(line.b()));
    let mut arrived = 0;
    b.set_nonblocking(true).unwrap();
    for batch in 1..=20 {
        for _ in 0..50 {
            a.send_to(b"one of a thousand", address(&b)).unwrap();
        }
        // Few at a time: a socket holds no more.
        let deadline = Instant::now() + MS * 10_000;
        while line.counters(Direction::AToB).passed + line.counters(Direction::AToB).lost < batch * 50 {
            assert!(Instant::now() < deadline, "{:?}", line.counters(Direction::AToB));
            std::thread::yield_now();
        }
        arrived += received(&b);
    }
    b.set_nonblocking(false).unwrap();
    arrived += received(&b);
    assert!((550..850).contains(&arrived), "{arrived} of 1000 at a loss of three in ten");
    line.set(Direction::AToB, Conditions::default().losing(20));
    let (from, to) = connected(&line);
    transfer(&from, &to, 200_000);
}

#[test]
fn the_buffer_is_bounded() {
    let narrow = Conditions { rate: Some(800_000), buffer: 20_000, ..Conditions::default() };
    let line = Line::open(narrow, Conditions::default()).unwrap();
    let (a, b) = (datagrams(line.a()), datagrams(line.b()));
    for _ in 0..100 {
        a.send_to(&[0; 972], address(&b)).unwrap();
    }
    // Twenty of 1000 bytes with their heads, and what left meanwhile.
    let arrived = received(&b);
    assert!((20..40).contains(&arrived), "{arrived} of 100 through a buffer of 20");
    let counters = line.counters(Direction::AToB);
    assert!(counters.dropped >= 60 && counters.most_waiting <= 20_000, "{counters:?}");
}

#[test]
fn it_is_cut_mended_and_changed_while_it_runs() {
    let line = Line::even(Conditions::default()).unwrap();
    let (a, b) = (datagrams(line.a()), datagrams(line.b()));
    let arrives = |word: &[u8]| {
        a.send_to(word, address(&b)).unwrap();
        received(&b) == 1
    };
    assert!(arrives(b"before"));
    line.cut();
    assert!(!arrives(b"lost"));
    line.mend();
    assert!(arrives(b"after"));
    line.set(Direction::AToB, Conditions { delay: MS * 150, ..Conditions::default() });
    let begun = Instant::now();
    assert!(arrives(b"late"));
    assert!(begun.elapsed() >= MS * 150);
    // A stream outlives a cut.
    let (from, mut to) = connected(&line);
    line.cut();
    (&from).write_all(b"while it was cut").unwrap();
    line.mend();
    to.set_read_timeout(Some(MS * 20_000)).unwrap();
    let mut bytes = [0; 16];
    to.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"while it was cut");
}

#[test]
fn many_at_once_know_nothing_of_each_other() {
    let lines: Vec<Line> = (0..4).map(|_| Line::even(Conditions::default()).unwrap()).collect();
    let ends: Vec<_> = lines.iter().map(|line| (datagrams(line.a()), datagrams(line.b()))).collect();
    // The same port on each.
    let port = address(&ends[0].1).port();
    let others: Vec<UdpSocket> = lines[1..]
        .iter()
        .map(|line| {
            line.b().run(|| UdpSocket::bind((line.a().address(), port)).or_else(|_| UdpSocket::bind("127.0.0.1:0")))
        })
        .map(|socket| socket.unwrap().unwrap())
        .collect();
    ends[0].0.send_to(b"only here", address(&ends[0].1)).unwrap();
    assert_eq!(received(&ends[0].1), 1);
    for other in &others {
        other.set_nonblocking(true).unwrap();
        assert_eq!(received(other), 0);
    }
}
