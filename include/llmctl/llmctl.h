// All of llmctl's public headers.
#pragma once

#include "llmctl/configuration.h"
#include "llmctl/error.h"
#include "llmctl/evaluation.h"
#include "llmctl/generation.h"
#include "llmctl/logging.h"
#include "llmctl/model_directory.h"
#include "llmctl/tokenizer.h"
#include "llmctl/training.h"
#include "llmctl/version.h"
