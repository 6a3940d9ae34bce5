//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"
)

// link is one kept connection with at most one request under way.
type link struct {
	file    int
	request int // under way; -1 for none
	due     time.Time
	left    []byte // of the request, still to be written
	answer  [4096]byte
	have    int // bytes of the answer
}

// dial opens the connections and names them all to epoll, once: it tells of every change by itself.
func (g *generator) dial(epoll int) error {
	to, err := net.ResolveTCPAddr("tcp4", g.address)
	if err != nil {
		return err
	}
	peer := &syscall.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	for i := range g.connections {
		file, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
		g.links = append(g.links, link{file: file, request: -1})
		g.byFile[int32(file)] = int32(i)
		g.idle <- int32(i)
		if err := syscall.Connect(file, peer); err != nil {
			return fmt.Errorf("connection %d to %s: %w", i+1, g.address, err)
		}
		if err := syscall.SetsockoptInt(file, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
			return err
		}
		if err := syscall.SetNonblock(file, true); err != nil {
			return err
		}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | -syscall.EPOLLET, Fd: int32(file)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, file, &event); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
	}
	return nil
}

func (g *generator) hangUp() {
	for i := range g.links {
		_ = syscall.Close(g.links[i].file)
	}
}

// write sends as much as the connection takes now.
func (l *link) write() error {
	for len(l.left) > 0 {
		n, err := syscall.Write(l.file, l.left)
		switch err {
		case nil:
			l.left = l.left[n:]
		case syscall.EAGAIN:
			return nil
		case syscall.EINTR:
		default:
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// read gives the status once the whole answer is there, and 0 before. A request has one answer, so nothing can be left behind
// a whole one.
func (l *link) read() (status int, err error) {
	for {
		n, err := syscall.Read(l.file, l.answer[l.have:])
		switch {
		case err == syscall.EAGAIN:
			return 0, nil
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("read: %w", err)
		case n == 0:
			return 0, fmt.Errorf("the server has hung up, or its answer is larger than %d bytes", len(l.answer))
		}
		l.have += n
		status, length, err := parseAnswer(l.answer[:l.have])
		if err != nil {
			return 0, err
		}
		if status > 0 && l.have >= length {
			l.have = 0
			return status, nil
		}
	}
}

// parseAnswer gives the status and the length of the whole answer, or 0 while its head is not there. It reads answers with a
// Content-Length alone, which is all that the servers send; a real client would cost more than the server it measures.
func parseAnswer(b []byte) (status, length int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, 0, nil
	}
	if end < 12 {
		return 0, 0, fmt.Errorf("answer %.40q", b)
	}
	if status, err = strconv.Atoi(string(b[9:12])); err != nil || status == 0 {
		return 0, 0, fmt.Errorf("answer %.40q", b)
	}
	const name = "\r\nContent-Length: "
	at := bytes.Index(b[:end], []byte(name))
	if at < 0 {
		return 0, 0, fmt.Errorf("answer without Content-Length: %.200q", b)
	}
	value, _, _ := bytes.Cut(b[at+len(name):end], []byte("\r"))
	body, err := strconv.Atoi(string(value))
	return status, end + len("\r\n\r\n") + body, err
}

// sleep waits until epoll has something, at most d and at most a second.
func sleep(epoll int, d time.Duration) error {
	var files syscall.FdSet
	const word = strconv.IntSize // of the bits, on every processor
	files.Bits[epoll/word] |= 1 << (epoll % word)
	timeout := syscall.NsecToTimeval(min(max(d, time.Microsecond), time.Second).Nanoseconds())
	_, err := syscall.Select(epoll+1, &files, nil, nil, &timeout)
	return err
}

// ownCPU is the processor time that this process has spent.
func ownCPU() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for our own process
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
