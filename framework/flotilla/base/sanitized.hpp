#pragma once

/// Defined when a sanitizer brings its own allocator: what is freed is kept aside for a while, and memory kept for
/// reuse would hide uses of what is freed.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define FLOTILLA_SANITIZED 1
#endif
#endif
