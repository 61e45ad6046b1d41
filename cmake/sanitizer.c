// Defaults of the sanitizers for the programs of a sanitizer build, whose environment is empty.
//
// A leak check at exit would trace its own process, and what lives as long as the process is no leak. An allocation that
// fails is an answer to the guest, not a defect.
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:allocator_may_return_null=1";
}

const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1:halt_on_error=1";
}

const char *__tsan_default_options(void)
{
    return "report_thread_leaks=0:report_signal_unsafe=0";
}
