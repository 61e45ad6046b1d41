#!/bin/bash
# optional
# packages: openjdk-17-jdk-headless
# timeout: 300
# Java: threads, the collectors, null checks and safepoints by SIGSEGV, the compiler, the Process API.
export LC_ALL=C.UTF-8 HOME=$PWD
cat >Main.java <<'END_OF_PROGRAM'
import java.io.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;

public class Main {
    static class Node { Node next; int value; }

    static void threads() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(16);
        AtomicLong sum = new AtomicLong();
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            final int n = i;
            all.add(pool.submit(() -> { sum.addAndGet(n); Thread.yield(); }));
        }
        for (Future<?> f : all) f.get();
        pool.shutdown();
        System.out.println("pool " + sum + " " + pool.awaitTermination(20, TimeUnit.SECONDS));
        Thread[] many = new Thread[300];
        CountDownLatch started = new CountDownLatch(many.length);
        Object lock = new Object();
        for (int i = 0; i < many.length; i++) {
            many[i] = new Thread(() -> {
                started.countDown();
                synchronized (lock) { try { lock.wait(); } catch (InterruptedException e) { sum.incrementAndGet(); } }
            });
            many[i].start();
        }
        started.await();
        for (Thread t : many) { while (t.getState() != Thread.State.WAITING) Thread.sleep(1); t.interrupt(); t.join(); }
        System.out.println("interrupted " + sum);
        long before = System.nanoTime();
        Thread.sleep(50);
        System.out.println("slept " + (System.nanoTime() - before >= 50_000_000));
    }

    static int walk(Node n) { return n.next.value; } // compiled without a check: the fault is the check

    static void nulls() {
        Node full = new Node();
        full.next = new Node();
        int caught = 0, sum = 0;
        for (int i = 0; i < 200_000; i++) {
            try { sum += walk(i % 100 == 99 ? new Node() : full); } catch (NullPointerException e) { caught++; }
        }
        System.out.println("null checks " + caught);
        try { deep(0); } catch (StackOverflowError e) { System.out.println("stack overflow caught"); }
        try { System.out.println(1 / (sum - sum)); } catch (ArithmeticException e) { System.out.println(e.getMessage()); }
    }

    static int deep(int n) { return deep(n + 1) + 1; }

    static void garbage() throws Exception {
        Map<Integer, byte[]> keep = new ConcurrentHashMap<>();
        Thread[] t = new Thread[4];
        for (int i = 0; i < t.length; i++) {
            final int base = i * 1000;
            t[i] = new Thread(() -> { for (int n = 0; n < 30_000; n++) keep.put(base + n % 50, new byte[4096]); });
            t[i].start();
        }
        for (Thread x : t) x.join();
        System.gc();
        System.out.println("garbage " + keep.size());
    }

    static void processes() throws Exception {
        Process p = new ProcessBuilder("sh", "-c", "cat; echo to stderr >&2; exit 3").redirectErrorStream(true).start();
        try (OutputStream out = p.getOutputStream()) { out.write("to the child\n".getBytes()); }
        System.out.print(new String(p.getInputStream().readAllBytes()));
        System.out.println("exit " + p.waitFor());
        List<Process> many = new ArrayList<>();
        for (int i = 0; i < 20; i++) many.add(new ProcessBuilder("true").start());
        for (Process x : many) if (x.waitFor() != 0) System.out.println("true failed");
        Process sleeper = new ProcessBuilder("sleep", "100").start();
        System.out.println("alive " + sleeper.isAlive() + " " + sleeper.waitFor(50, TimeUnit.MILLISECONDS));
        CompletableFuture<Process> end = sleeper.onExit();
        sleeper.destroyForcibly();
        System.out.println("destroyed " + end.get(20, TimeUnit.SECONDS).exitValue());
        System.out.println("me " + ProcessHandle.current().info().command().isPresent() + " "
            + ProcessHandle.current().children().count());
        try { new ProcessBuilder("no-such-program").start(); } catch (IOException e) { System.out.println("no program"); }
    }

    static void files() throws Exception {
        Path f = Files.createTempFile(Paths.get("."), "x", ".txt");
        Files.writeString(f, "a\nb\nc\n");
        System.out.println("lines " + Files.readAllLines(f).size());
        try (RandomAccessFile r = new RandomAccessFile(f.toFile(), "rw")) {
            var map = r.getChannel().map(java.nio.channels.FileChannel.MapMode.READ_WRITE, 0, 6);
            map.put(0, (byte) 'z');
            map.force();
        }
        System.out.println("mapped " + Files.readString(f).charAt(0));
        Files.delete(f);
    }

    public static void main(String[] args) throws Exception {
        threads();
        nulls();
        garbage();
        processes();
        files();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("shutdown hook")));
        System.exit(9);
    }
}
END_OF_PROGRAM
javac Main.java
echo "javac $?"
for options in "" -Xint "-XX:+UseSerialGC -Xmx64m" -XX:+UseParallelGC "-XX:+UseZGC -Xmx256m" -XX:TieredStopAtLevel=1; do
    echo "options $options"
    # shellcheck disable=SC2086 # a list of words
    java $options Main
    echo "status $?"
done
java -Xmx16m -cp . Main >/dev/null 2>&1 </dev/null & wait $!; echo "small heap $?"
sh -c 'kill -TERM $$' ; echo "term $?"
