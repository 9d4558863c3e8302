#include "train/prefetch.h"

#include <utility>

namespace llmctl {
namespace {

void pin(at::Tensor& tensor) {
  if (tensor.defined()) tensor = tensor.pin_memory();
}

void pin(Sequence& sequence) {
  pin(sequence.ids);
  pin(sequence.positions);
  pin(sequence.token_types);
  pin(sequence.documents);
}

void pin(Batch& batch) {
  pin(batch.input);
  pin(batch.target);
  pin(batch.labels);
  pin(batch.weights);
  for (auto& [name, tensor] : batch.extras) pin(tensor);
}

}  // namespace

Prefetcher::Prefetcher(const Source& source, std::int64_t first, std::int64_t last, bool pin)
    : source_(source), pin_(pin), thread_([this, first, last] { work(first, last); }) {}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::vector<Batch> Prefetcher::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_ || error_; });
  if (!ready_) std::rethrow_exception(error_);
  std::vector<Batch> batches = std::move(*ready_);
  ready_.reset();
  lock.unlock();
  changed_.notify_all();
  return batches;
}

void Prefetcher::work(std::int64_t first, std::int64_t last) {
  try {
    for (std::int64_t step = first; step < last; ++step) {
      std::vector<Batch> batches = source_.batches(step);
      if (pin_) {
        for (Batch& batch : batches) pin(batch);
      }
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !ready_; });
      if (stop_) return;
      ready_ = std::move(batches);
      lock.unlock();
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    error_ = std::current_exception();
    changed_.notify_all();
  }
}

}  // namespace llmctl
