#include "ops/backend.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/util/Exception.h>
#include <c10/util/Logging.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <torch/headeronly/version.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string_view>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file_error.h"
#include "base/log.h"
#include "base/threads.h"
#include "base/waiting.h"
#include "ops/cpu_allocator.h"
#include "ops/gemm.h"

namespace llmctl {
namespace {

int cuda_device_count() {
  return at::globalContext().hasCUDA() ? at::detail::getCUDAHooks().getNumGPUs() : 0;
}

/// LibTorch's warnings speak of Python; they go to the log of those who ask for detail.
class DebugLogWarnings : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override { log_debug("LibTorch: ", warning.msg()); }
};

/// The sentence before LibTorch's details.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

bool says_out_of_memory(const std::string& text) {
  return text.find("DefaultCPUAllocator") != std::string::npos ||
         text.find("out of memory") != std::string::npos;
}

[[noreturn]] void fail_out_of_memory(const std::string& detail) {
  fail(ErrorCode::kInternal, "out of memory", detail.empty() ? "" : ": ", detail,
       "; lower train.micro_batch_size, generation.batch_size or data.sequence_length, set "
       "train.activation_checkpointing, or take a smaller model");
}

/// Registering its operators leads LibTorch through 64 MB of its code, which then count as this
/// process's memory though little of it runs again. What is needed comes back by itself.
int forget_code_of_start(dl_phdr_info* library, std::size_t /*size*/, void* /*data*/) {
  if (std::string_view(library->dlpi_name).find("libtorch") == std::string_view::npos) return 0;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = library->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (library->dlpi_addr + part.p_vaddr) / page * page;
    const std::uintptr_t end = library->dlpi_addr + part.p_vaddr + part.p_memsz;
    madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }
  return 0;
}

}  // namespace

at::Device parse_device(const std::string& text) {
  if (text == "cpu") return at::Device(at::kCPU);
  const int devices = cuda_device_count();
  if (text == "auto") return devices > 0 ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  const std::string prefix = "cuda:";
  int index = 0;
  bool good = text == "cuda";
  if (text.starts_with(prefix)) {
    const char* const end = text.data() + text.size();
    const auto result = std::from_chars(text.data() + prefix.size(), end, index);
    good = result.ec == std::errc() && result.ptr == end && index >= 0 && index < 128;
  }
  require(good, ErrorCode::kConfig, "device: expected auto, cpu, cuda or cuda:N, got '", text, "'");
  require(devices > 0, ErrorCode::kConfig, "device: no CUDA device for '", text, "' (",
          at::globalContext().hasCUDART() ? "no GPU or driver was found"
                                          : "LibTorch is the build for CPUs",
          "), use cpu or auto");
  require(index < devices, ErrorCode::kConfig, "device: '", text,
          "' is not there, the last one is cuda:", devices - 1);
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::ScalarType resolve_precision(const std::string& precision, const at::Device& device,
                                 Purpose purpose) {
  if (precision == "fp32") return at::kFloat;
  if (precision == "bf16") return at::kBFloat16;
  require(precision == "auto", ErrorCode::kConfig, "precision: expected auto, fp32 or bf16, got '",
          precision, "'");
  // The rule asks what the hardware has, never a clock: a resumed run must decide alike.
  const bool bf16 = device.is_cuda()
                        ? at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8()
                        : cpu_features().amx_bf16 ||
                              (purpose == Purpose::kTraining && cpu_features().avx512_bf16);
  return bf16 ? at::kBFloat16 : at::kFloat;
}

void initialize_backend(int threads) {
  static std::once_flag once;
  std::call_once(once, [] {
    cache_cpu_memory();
    malloc_trim(0);  // what the registration of operators has left
    dl_iterate_phdr(forget_code_of_start, nullptr);
    static DebugLogWarnings warnings;
    c10::WarningUtils::set_warning_handler(&warnings);
  });
  set_thread_count(threads);
  at::set_num_threads(thread_count());
  at::globalContext().setFlushDenormal(true);
}

void set_deterministic(bool on) {
  auto& context = at::globalContext();
  // cuBLAS reads this when its first handle is made.
  if (on) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  // Where LibTorch only warns, attention's backward pass takes its faster form, whose sums have no
  // order.
  context.setDeterministicAlgorithms(on, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(on);
  context.setBenchmarkCuDNN(false);
}

bool is_deterministic() {
  return at::globalContext().deterministicAlgorithms();
}

void seed_generator(const at::Device& device, std::uint64_t seed) {
  at::Generator generator = at::globalContext().defaultGenerator(device);
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(seed);
}

void translate_torch_errors(const std::function<void()>& work) {
  // Wheels are built so that a failed allocation on the CPU ends the process; an exception it is.
  FLAGS_caffe2_use_fatal_for_enforce = false;
  try {
    work();
  } catch (const c10::OutOfMemoryError& error) {
    fail_out_of_memory(first_line(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    const std::string text = first_line(error.what_without_backtrace());
    if (says_out_of_memory(text)) fail_out_of_memory(text);
    if (const std::size_t end = text.find(" does not have a deterministic implementation");
        end != std::string::npos) {
      fail(ErrorCode::kConfig, "train.deterministic: LibTorch's ", text.substr(0, end),
           " has no deterministic form on this device; train on the CPU, or set "
           "train.deterministic=false");
    }
    fail(ErrorCode::kInternal, "LibTorch: ", text);
  } catch (const std::bad_alloc&) {
    fail_out_of_memory("");
  } catch (const std::filesystem::filesystem_error& error) {
    throw to_error(error);
  }
}

std::vector<std::pair<std::string, std::string>> backend_facts() {
  auto& context = at::globalContext();
  std::vector<std::pair<std::string, std::string>> facts;
  facts.emplace_back("libtorch", TORCH_VERSION);
  facts.emplace_back("cpu_capability", at::get_cpu_capability());
  facts.emplace_back("mkl", context.hasMKL() ? first_line(at::get_mkl_version()) : "none");
  facts.emplace_back("onednn", context.hasMKLDNN() ? first_line(at::get_mkldnn_version()) : "none");
  facts.emplace_back("threads", std::to_string(at::get_num_threads()));
  facts.emplace_back("thread_waiting", thread_waiting());
  facts.emplace_back("fp32_products", fp32_gemm_library());
  facts.emplace_back("bf16_instructions", cpu_features().amx_bf16      ? "amx_bf16"
                                          : cpu_features().avx512_bf16 ? "avx512_bf16"
                                                                       : "none");
  facts.emplace_back("cuda_devices", std::to_string(cuda_device_count()));
  return facts;
}

}  // namespace llmctl
