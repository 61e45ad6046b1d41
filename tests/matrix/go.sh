#!/bin/bash
# optional
# packages: golang-1.19-go
# timeout: 300
# Go: the tool chain builds a program, which runs 1000 goroutines, timers, a loop that only preemption by signal interrupts,
# child processes, a signal handler and the collector.
export LC_ALL=C.UTF-8 HOME=$PWD GOCACHE=$PWD/cache GOPATH=$PWD/path GOFLAGS=-mod=mod GO111MODULE=off CGO_ENABLED=0
export PATH=/usr/lib/go-1.19/bin:$PATH
cat >program.go <<'END_OF_PROGRAM'
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func goroutines() {
	var wg sync.WaitGroup
	var sum int64
	c := make(chan int)
	for i := 0; i < 1000; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for n := 0; n < 20; n++ {
				c <- i
				runtime.Gosched()
			}
		}(i)
	}
	go func() { wg.Wait(); close(c) }()
	for v := range c {
		sum += int64(v)
	}
	fmt.Println("goroutines", sum)
}

func timers() {
	var fired int32
	var wg sync.WaitGroup
	for i := 0; i < 1000; i++ {
		wg.Add(1)
		time.AfterFunc(time.Duration(i%50)*time.Millisecond, func() { atomic.AddInt32(&fired, 1); wg.Done() })
	}
	stopped := time.AfterFunc(time.Hour, func() { fmt.Println("never") })
	ticker := time.NewTicker(2 * time.Millisecond)
	ticks := 0
	for range ticker.C {
		if ticks++; ticks == 50 {
			break
		}
	}
	ticker.Stop()
	wg.Wait()
	fmt.Println("timers", fired, ticks, stopped.Stop())
}

// A loop without calls: only a signal gets it off its thread.
func preemption() {
	runtime.GOMAXPROCS(1)
	var stop int32
	done := make(chan uint64)
	go func() {
		x := uint64(1)
		for i := 0; ; i++ {
			x = x*6364136223846793005 + 1
			if i&0xffffff == 0 && atomic.LoadInt32(&stop) != 0 {
				break
			}
		}
		done <- x
	}()
	for i := 0; i < 10; i++ {
		time.Sleep(3 * time.Millisecond)
	}
	atomic.StoreInt32(&stop, 1)
	<-done
	runtime.GOMAXPROCS(4)
	fmt.Println("preempted")
}

func collector() {
	var wg sync.WaitGroup
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			keep := map[int][]byte{}
			for i := 0; i < 4000; i++ {
				keep[i%64] = make([]byte, 4096)
			}
		}()
	}
	wg.Wait()
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println("collector", m.NumGC > 0)
}

func processes() {
	var wg sync.WaitGroup
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			cmd := exec.Command("sh", "-c", "cat; exit 3")
			cmd.Stdin = bytes.NewReader(make([]byte, 100000))
			out, err := cmd.Output()
			if len(out) != 100000 || err.(*exec.ExitError).ExitCode() != 3 {
				fmt.Println("process", len(out), err)
			}
		}()
	}
	wg.Wait()
	_, err := exec.Command("no-such-program").Output()
	fmt.Println("processes", err != nil)
}

func signals() {
	c := make(chan os.Signal, 10)
	signal.Notify(c, syscall.SIGUSR1)
	for i := 0; i < 5; i++ {
		syscall.Kill(os.Getpid(), syscall.SIGUSR1)
		fmt.Println("signal", <-c)
	}
	defer func() { fmt.Println("recovered:", recover()) }()
	var p *int
	fmt.Println(*p)
}

func network() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 100)
				n, _ := c.Read(buf)
				c.Write(buf[:n])
				c.Close()
			}()
		}
	}()
	var wg sync.WaitGroup
	var ok int32
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				fmt.Println(err)
				return
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			fmt.Fprint(c, "echo")
			buf := make([]byte, 10)
			if n, _ := c.Read(buf); string(buf[:n]) == "echo" {
				atomic.AddInt32(&ok, 1)
			}
			c.Close()
		}()
	}
	wg.Wait()
	fmt.Println("network", ok)
}

func main() {
	goroutines()
	timers()
	preemption()
	collector()
	processes()
	network()
	signals()
	os.Exit(7)
}
END_OF_PROGRAM
go version && go build -o program program.go
echo "build $?"
for _ in 1 2 3; do
    ./program
    echo "status $?"
done
cat >panic.go <<'END_OF_PROGRAM'
package main

func main() {
	var m map[string]int
	m["x"] = 1
}
END_OF_PROGRAM
go run panic.go 2>&1 | head -n 1
GOGC=5 GOMAXPROCS=16 ./program >/dev/null
echo "status $?"
