#include "io/torch_file.h"

#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

constexpr const char* kAdvice =
    "; convert the file with safetensors' convert script, or in Python: "
    "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')";

struct Object;
struct Storage {
  DType dtype;
  std::string key;
  std::int64_t elements;
};
struct Tensor {
  Storage storage;
  std::int64_t offset;
  std::vector<std::int64_t> shape, strides;
};
/// What the pickle may name.
struct Global {
  enum Kind { kOrderedDict, kRebuildTensor, kRebuildParameter, kStorage } kind;
  DType dtype = DType::kF32;  // of a storage
};
struct Mark {};
struct None {};

/// A value of the machine. Objects live in its arena, so that values copy cheaply, may refer to one
/// another in any way and are freed without recursion.
using Value = std::variant<None, bool, std::int64_t, std::string_view, Global, Storage*, Tensor*,
                           Object*, Mark>;

/// A tuple, a list, or a dictionary as keys and values in turn.
struct Object {
  enum Kind { kTuple, kList, kDict } kind;
  std::vector<Value> values;
};

const std::map<std::string, DType>& storage_types() {
  static const std::map<std::string, DType> types = {
      {"DoubleStorage", DType::kF64}, {"FloatStorage", DType::kF32},
      {"HalfStorage", DType::kF16},   {"BFloat16Storage", DType::kBF16},
      {"LongStorage", DType::kI64},   {"IntStorage", DType::kI32},
      {"ShortStorage", DType::kI16},  {"CharStorage", DType::kI8},
      {"ByteStorage", DType::kU8},    {"BoolStorage", DType::kBool}};
  return types;
}

/// Runs a pickle (protocol 2 and the parts of 4 that torch.save may use) over its own values.
class Unpickler {
 public:
  Unpickler(std::span<const std::byte> pickle, const std::filesystem::path& path)
      : data_(reinterpret_cast<const char*>(pickle.data()), pickle.size()), path_(path) {}

  Value run() {
    for (;;) {
      const auto opcode = static_cast<unsigned char>(take(1).front());
      if (opcode == '.') return pop();
      step(opcode);
      check(stack_.size() <= kMostValues && values_ <= kMostValues, "more values than a model has");
    }
  }

 private:
  static constexpr std::size_t kMostValues = 4'000'000;

  [[noreturn]] void refuse(const std::string& what) const {
    fail(ErrorCode::kData, path_, ": pickle, byte ", at_, ": ", what, kAdvice);
  }
  void check(bool holds, const char* what) const {
    if (!holds) refuse(what);
  }

  std::string_view take(std::uint64_t size) {
    check(size <= data_.size() - at_, "cut off");
    const std::string_view bytes = data_.substr(at_, size);
    at_ += size;
    return bytes;
  }
  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const std::size_t end = data_.find('\n', at_);
    check(end != std::string_view::npos, "a name without its end");
    const std::string_view text = take(end - at_);
    take(1);
    return text;
  }

  void push(Value value) {
    ++values_;
    stack_.push_back(std::move(value));
  }
  Value pop() {
    check(!stack_.empty() && !std::holds_alternative<Mark>(stack_.back()), "the stack is empty");
    Value value = std::move(stack_.back());
    stack_.pop_back();
    return value;
  }
  std::vector<Value> pop_to_mark() {
    std::size_t begin = stack_.size();
    while (begin > 0 && !std::holds_alternative<Mark>(stack_[begin - 1])) --begin;
    check(begin > 0, "no mark on the stack");
    std::vector<Value> values(
        std::make_move_iterator(stack_.begin() + static_cast<std::ptrdiff_t>(begin)),
        std::make_move_iterator(stack_.end()));
    stack_.resize(begin - 1);
    return values;
  }
  template <class Kind>
  Kind expect(const Value& value, const char* what) const {
    const Kind* const held = std::get_if<Kind>(&value);
    check(held != nullptr, what);
    return *held;
  }
  Object* object(Object::Kind kind, std::vector<Value> values = {}) {
    values_ += values.size();
    objects_.push_back({kind, std::move(values)});
    return &objects_.back();
  }
  void tuple(std::size_t size) {
    std::vector<Value> values(size);
    for (std::size_t i = size; i-- > 0;) values[i] = pop();
    push(object(Object::kTuple, std::move(values)));
  }
  Object* top(Object::Kind kind, const char* what) {
    check(!stack_.empty(), "the stack is empty");
    auto* const object = expect<Object*>(stack_.back(), what);
    check(object->kind == kind, what);
    return object;
  }
  const Value& remembered(std::size_t index) const {
    const auto found = memo_.find(index);
    check(found != memo_.end(), "reads what was never stored");
    return found->second;
  }
  void remember(std::size_t index) {
    check(!stack_.empty(), "the stack is empty");
    memo_[index] = stack_.back();
  }

  void step(unsigned char opcode);
  void name_global(std::string_view module, std::string_view name);
  void load_storage();
  void call();
  std::vector<std::int64_t> numbers(const Value& value) const;
  std::vector<Value> arguments(const Value& value, std::size_t least, std::size_t most) const;
  void require_empty(const Value& hooks) const;

  std::string_view data_;
  const std::filesystem::path& path_;
  std::size_t at_ = 0, values_ = 0;
  std::vector<Value> stack_;
  std::map<std::size_t, Value> memo_;
  std::deque<Object> objects_;
  std::deque<Storage> storages_;
  std::deque<Tensor> tensors_;
};

void Unpickler::step(unsigned char opcode) {
  switch (opcode) {
    case 0x80:  // PROTO
      check(number<std::uint8_t>() <= 5, "protocol beyond 5");
      return;
    case 0x95:  // FRAME
      number<std::uint64_t>();
      return;
    case 'c': {  // GLOBAL
      const std::string_view module = line();
      return name_global(module, line());
    }
    case 0x93: {  // STACK_GLOBAL
      const auto name = expect<std::string_view>(pop(), "a global without a name");
      return name_global(expect<std::string_view>(pop(), "a global without a module"), name);
    }
    case '}':
      return push(object(Object::kDict));
    case ')':
      return push(object(Object::kTuple));
    case ']':
      return push(object(Object::kList));
    case '(':
      return push(Mark{});
    case 'X':  // BINUNICODE
      return push(take(number<std::uint32_t>()));
    case 0x8c:  // SHORT_BINUNICODE
      return push(take(number<std::uint8_t>()));
    case 'J':  // BININT
      return push(std::int64_t{number<std::int32_t>()});
    case 'K':  // BININT1
      return push(std::int64_t{number<std::uint8_t>()});
    case 'M':  // BININT2
      return push(std::int64_t{number<std::uint16_t>()});
    case 0x8a: {  // LONG1: little-endian, two's complement
      const std::string_view bytes = take(number<std::uint8_t>());
      check(bytes.size() <= 8, "a number of more than 64 bits");
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < bytes.size(); ++i) {
        value |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
      }
      const std::size_t bits = 8 * bytes.size();
      if (bits > 0 && bits < 64 && (value >> (bits - 1)) != 0) value |= ~std::uint64_t{0} << bits;
      return push(static_cast<std::int64_t>(value));
    }
    case 0x88:
      return push(true);
    case 0x89:
      return push(false);
    case 'N':
      return push(None{});
    case 't':
      return push(object(Object::kTuple, pop_to_mark()));
    case 0x85:
    case 0x86:
    case 0x87:  // TUPLE1, 2, 3
      return tuple(opcode - 0x84u);
    case 'q':  // BINPUT
      return remember(number<std::uint8_t>());
    case 'r':  // LONG_BINPUT
      return remember(number<std::uint32_t>());
    case 0x94:  // MEMOIZE
      return remember(memo_.size());
    case 'h':  // BINGET
      return push(remembered(number<std::uint8_t>()));
    case 'j':  // LONG_BINGET
      return push(remembered(number<std::uint32_t>()));
    case 'Q':
      return load_storage();
    case 'R':
      return call();
    case 's': {  // SETITEM
      const Value value = pop(), key = pop();
      Object* const dict = top(Object::kDict, "sets an item of what is no dictionary");
      dict->values.insert(dict->values.end(), {key, value});
      return;
    }
    case 'u': {  // SETITEMS
      const std::vector<Value> items = pop_to_mark();
      check(items.size() % 2 == 0, "a key without a value");
      Object* const dict = top(Object::kDict, "sets items of what is no dictionary");
      dict->values.insert(dict->values.end(), items.begin(), items.end());
      return;
    }
    case 'a': {  // APPEND
      const Value value = pop();
      top(Object::kList, "appends to what is no list")->values.push_back(value);
      return;
    }
    case 'e': {  // APPENDS
      const std::vector<Value> items = pop_to_mark();
      Object* const list = top(Object::kList, "appends to what is no list");
      list->values.insert(list->values.end(), items.begin(), items.end());
      return;
    }
    case 'b': {  // BUILD: a state_dict() carries "_metadata", which says nothing about its tensors
      const Value state = pop();
      top(Object::kDict, "changes the state of what is no dictionary");
      check(expect<Object*>(state, "a state that is no dictionary")->kind == Object::kDict,
            "a state that is no dictionary");
      return;
    }
    default:
      refuse(concat("instruction ", static_cast<int>(opcode), " is not of a file of tensors"));
  }
}

void Unpickler::name_global(std::string_view module, std::string_view name) {
  if (module == "collections" && name == "OrderedDict") return push(Global{Global::kOrderedDict});
  if (module == "torch._utils" && name == "_rebuild_tensor_v2") {
    return push(Global{Global::kRebuildTensor});
  }
  if (module == "torch._utils" && name == "_rebuild_parameter") {
    return push(Global{Global::kRebuildParameter});
  }
  if (module == "torch") {
    const auto found = storage_types().find(std::string(name));
    if (found != storage_types().end()) return push(Global{Global::kStorage, found->second});
  }
  refuse(concat("asks for ", module, ".", name, ", which is refused: a pickle can run programs"));
}

void Unpickler::load_storage() {
  const std::vector<Value> id = arguments(pop(), 5, 5);
  check(expect<std::string_view>(id[0], "a reference to no storage") == "storage",
        "a reference to no storage");
  const Global type = expect<Global>(id[1], "a storage without a type");
  check(type.kind == Global::kStorage, "a storage without a type");
  const auto key = expect<std::string_view>(id[2], "a storage without a name");
  expect<std::string_view>(id[3], "a storage without a device");
  const auto elements = expect<std::int64_t>(id[4], "a storage without a size");
  check(elements >= 0, "a storage of negative size");
  storages_.push_back({type.dtype, std::string(key), elements});
  push(&storages_.back());
}

void Unpickler::call() {
  const Value arguments_value = pop();
  const Global function = expect<Global>(pop(), "calls what is no function");
  switch (function.kind) {
    case Global::kOrderedDict:
      arguments(arguments_value, 0, 0);
      return push(object(Object::kDict));
    case Global::kRebuildTensor: {
      const std::vector<Value> values = arguments(arguments_value, 6, 7);
      const Storage* const storage = expect<Storage*>(values[0], "a tensor without a storage");
      const auto offset = expect<std::int64_t>(values[1], "a tensor without an offset");
      expect<bool>(values[4], "a tensor without requires_grad");
      require_empty(values[5]);
      tensors_.push_back({*storage, offset, numbers(values[2]), numbers(values[3])});
      return push(&tensors_.back());
    }
    case Global::kRebuildParameter: {
      const std::vector<Value> values = arguments(arguments_value, 3, 3);
      expect<bool>(values[1], "a parameter without requires_grad");
      require_empty(values[2]);
      return push(expect<Tensor*>(values[0], "a parameter without a tensor"));
    }
    case Global::kStorage:
      refuse("calls a storage's type");
  }
}

std::vector<std::int64_t> Unpickler::numbers(const Value& value) const {
  std::vector<std::int64_t> result;
  for (const Value& entry : arguments(value, 0, 64)) {
    result.push_back(expect<std::int64_t>(entry, "a shape that is not made of numbers"));
  }
  return result;
}

std::vector<Value> Unpickler::arguments(const Value& value, std::size_t least,
                                        std::size_t most) const {
  const Object* const tuple = expect<Object*>(value, "arguments that are no tuple");
  check(tuple->kind == Object::kTuple && tuple->values.size() >= least &&
            tuple->values.size() <= most,
        "the wrong number of arguments");
  return tuple->values;
}

void Unpickler::require_empty(const Value& hooks) const {
  const Object* const dict = expect<Object*>(hooks, "hooks that are no dictionary");
  check(dict->kind == Object::kDict && dict->values.empty(), "a tensor with hooks");
}

/// The tensor over its storage's bytes, with every element within them.
StridedTensor place(const Tensor& tensor, const std::string& name, const ZipArchive& archive,
                    const std::string& root) {
  const auto refuse = [&](const auto&... what) {
    fail(ErrorCode::kData, archive.path(), ": tensor ", name, " ", what...);
  };
  StridedTensor result{tensor.storage.dtype, tensor.shape, tensor.strides, tensor.offset, {}};
  const std::string member = root + "data/" + tensor.storage.key;
  if (!archive.contains(member)) refuse("has its data in ", member, ", which is not there");
  result.storage = archive.bytes(member);
  const std::size_t width = dtype_size(result.dtype);
  const auto elements = static_cast<std::int64_t>(result.storage.size() / width);
  if (tensor.storage.elements > elements) {
    refuse("has a storage of ", tensor.storage.elements, " elements, the file holds ", elements);
  }
  if (reinterpret_cast<std::uintptr_t>(result.storage.data()) % width != 0) {
    refuse("is not aligned in the archive", kAdvice);
  }
  if (tensor.shape.size() != tensor.strides.size())
    refuse("has other numbers of sizes and of strides");
  if (tensor.offset < 0) refuse("has the negative offset ", tensor.offset);
  // More elements than this only come from strides of zero, which a file of weights has no use for.
  constexpr std::int64_t kMostExpanded = 1 << 24;
  std::int64_t count = 1, last = tensor.offset;
  bool overflow = false;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const std::int64_t size = tensor.shape[i], stride = tensor.strides[i];
    if (size < 0 || stride < 0) refuse("has a negative size or stride");
    std::int64_t reach = 0;
    overflow |= __builtin_mul_overflow(count, size, &count);
    overflow |= size > 0 && __builtin_mul_overflow(size - 1, stride, &reach);
    overflow |= __builtin_add_overflow(last, reach, &last);
  }
  if (overflow || count > std::max(elements, kMostExpanded)) {
    refuse("has more elements than its storage");
  }
  if (count > 0 && last >= tensor.storage.elements) {
    refuse("reaches element ", last, " of a storage of ", tensor.storage.elements);
  }
  if (count == 0) result.offset = 0;
  return result;
}

/// The folder that holds data.pkl.
std::string root_of(const ZipArchive& archive) {
  constexpr std::string_view kPickle = "data.pkl";
  std::optional<std::string> root;
  for (const auto& [name, member] : archive.members()) {
    require(name.find("/code/") == std::string::npos, ErrorCode::kData, archive.path(),
            ": a TorchScript archive, which holds programs", kAdvice);
    const std::size_t slash = name.find('/');
    if (slash != std::string::npos && name.substr(slash + 1) == kPickle) {
      root = name.substr(0, slash + 1);
    }
  }
  require(root.has_value(), ErrorCode::kData, archive.path(),
          ": no data.pkl in the archive; not a file of torch.save");
  return *root;
}

/// The archive, once its first bytes say that it is one.
ZipArchive open_archive(const std::filesystem::path& path) {
  std::string head;
  for_each_chunk(path, [&](std::string_view bytes) {
    head = bytes.substr(0, 64);
    return false;
  });
  require(!head.starts_with("version https://git-lfs"), ErrorCode::kData, path,
          ": a Git LFS pointer instead of the file; fetch it with: git lfs pull");
  require(!head.starts_with("\x80\x02\x8a"), ErrorCode::kData, path,
          ": written by torch before 1.6", kAdvice);
  require(head.starts_with("PK\x03\x04"), ErrorCode::kData, path,
          ": not a file of torch.save (no ZIP archive)");
  return ZipArchive(path);
}

}  // namespace

TorchFile::TorchFile(const std::filesystem::path& path) : archive_(open_archive(path)) {
  const std::string root = root_of(archive_);
  Unpickler unpickler(archive_.bytes(root + "data.pkl"), path);
  const Value value = unpickler.run();
  const auto* const held = std::get_if<Object*>(&value);
  require(held && (*held)->kind == Object::kDict, ErrorCode::kData, path,
          ": holds no dictionary of tensors", kAdvice);
  const std::vector<Value>& items = (*held)->values;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    const auto* const key = std::get_if<std::string_view>(&items[i]);
    require(key && !key->empty() && !find_invalid_utf8(*key), ErrorCode::kData, path, ": entry ",
            i / 2, " has no name");
    const std::string name(*key);
    const auto* const tensor = std::get_if<Tensor*>(&items[i + 1]);
    require(tensor != nullptr, ErrorCode::kData, path, ": entry ", name,
            " is no tensor; only dictionaries of names and tensors are read", kAdvice);
    require(tensors_.emplace(name, place(**tensor, name, archive_, root)).second, ErrorCode::kData,
            path, ": two tensors are called ", name);
  }
}

}  // namespace llmctl
