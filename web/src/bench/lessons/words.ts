// The texts of a lesson, in the reader's language.
import type { Key } from '../../text/catalogue';
import { say } from '../../text/say.svelte';
import type { Visit } from './course.svelte';
import type { Lesson } from './lesson';

export const keyOf = ({ id }: Lesson, name: string) => `lessons.${id}.${name}` as Key;
export const titleOf = (lesson: Lesson) => say(keyOf(lesson, 'title'));
export const missingText = (lesson: Lesson) => say(keyOf(lesson, 'missing'));
export const questionText = (lesson: Lesson, { values }: Visit) => say(keyOf(lesson, 'question'), values);
export const answerText = (lesson: Lesson, { values }: Visit, answer: string) =>
  say(keyOf(lesson, `answers.${answer}`), values);

// Says whether the reader's answer is correct.
export function verdictOf(lesson: Lesson, visit: Visit): string {
  if (visit.found === null || visit.prediction === null) return '';
  const [answer, correct] = [visit.prediction, visit.found.correct].map((id) => answerText(lesson, visit, id));
  return visit.prediction === visit.found.correct
    ? say('lessons.right', { answer })
    : say('lessons.wrong', { answer, right: correct });
}

// Writes the conclusion; '' before it.
export function conclusionText(lesson: Lesson, visit: Visit): string {
  const { texts = [], values = {} } = visit.found ?? {};
  return [verdictOf(lesson, visit), ...texts.map((text) => say(keyOf(lesson, text), values))].join(' ');
}

// Writes the text that a screen reader reads at each step.
export function spokenText(lesson: Lesson | null, visit: Visit | null): string {
  if (lesson === null) return say('lessons.lead');
  if (visit === null) return missingText(lesson);
  const values = visit.script.values();
  if (visit.task !== null) {
    const task = say(keyOf(lesson, `tasks.${visit.task.id}`), values);
    return say('lessons.task', { number: visit.done + 1, of: visit.script.tasks.length, task });
  }
  if (visit.found !== null) return conclusionText(lesson, visit);
  return `${titleOf(lesson)}. ${questionText(lesson, visit)}`;
}
